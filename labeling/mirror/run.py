"""Mirror the registry: find the models whose portrait there is out of date, and bring it up to date one by one.

Nothing is queued: what is behind follows from the ledger alone, so no move can be forgotten, and a mirror that was
killed, or that was down for a week, goes on where it is behind.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from labeling.errors import MirrorError, MirrorUnreachable
from labeling.mirror.mlflow import Mlflow
from labeling.mirror.portrait import GoldenNow, digest_of, portrait
from labeling.mirror.records import MirrorRow, Mirrors, Portrait
from labeling.model_records import GateRow, Model, ModelEvent, ModelState
from labeling.store.interfaces import Gates, Models

Open = Callable[[], AbstractContextManager[Mlflow]]


class MirrorStores(Protocol):
    """The part of the ledger that mirroring needs."""

    @property
    def models(self) -> Models: ...

    @property
    def gates(self) -> Gates: ...

    @property
    def golden(self) -> GoldenNow: ...

    @property
    def mirrors(self) -> Mirrors: ...


@dataclass(frozen=True, slots=True)
class Behind:
    """A model whose mirror is out of date, and all that its portrait needs."""

    model: Model
    moves: tuple[ModelEvent, ...]
    gate: GateRow | None
    digest: str
    row: MirrorRow | None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Models brought up to date, and those still behind; ``error``: the first failure, "" for none."""

    mirrored: tuple[str, ...]
    behind: tuple[str, ...]
    error: str = ""


def behind(stores: MirrorStores, url: str) -> list[Behind]:
    """The models whose mirror at ``url`` is out of date: those that step down before the champion, else by age."""
    rows = stores.mirrors.at(url)
    moves: dict[str, list[ModelEvent]] = {}
    for event in stores.models.history():
        moves.setdefault(event.model_id, []).append(event)
    verdicts = {_judged(gate): gate for gate in stores.gates.all()}
    found = []
    for model in stores.models.all():
        own, gate, row = tuple(moves.get(model.model_id, ())), verdicts.get(model.model_id), rows.get(model.model_id)
        digest = digest_of(model, own, gate)
        if row is None or row.digest != digest:
            found.append(Behind(model, own, gate, digest, row))
    return sorted(found, key=lambda one: one.model.state is ModelState.CHAMPION)


def mirror(stores: MirrorStores, url: str, connect: Open) -> Mirrored:
    """Bring the mirror up to date. An attempt that fails is noted in the ledger and told in ``error``: nothing is
    raised for a server that is away or says no, since the registry does not wait for it."""
    waiting, done, error = behind(stores, url), list[str](), ""
    with connect() as server:
        for one in waiting:
            try:
                _mirror_one(stores, server, url, one)
                done.append(one.model.model_id)
            except MirrorError as failed:  # told, and kept: whoever moved a model does not wait for its mirror
                error = error or str(failed)
                stores.mirrors.put(replace(_row(url, one), error=str(failed)))
                if isinstance(failed, MirrorUnreachable):
                    break
    return Mirrored(tuple(done), tuple(o.model.model_id for o in waiting if o.model.model_id not in done), error)


def _mirror_one(stores: MirrorStores, server: Mlflow, url: str, one: Behind) -> None:
    shown = portrait(stores.golden, one.model, one.moves, one.gate)
    run_id = server.run(server.experiment(), shown)
    server.log(run_id, shown, int(datetime.now(UTC).timestamp() * 1000))
    server.registered(shown)
    version = server.version(run_id, shown)
    server.tag_version(shown.name, version, shown.tags)
    _place(server, shown, version)
    stores.mirrors.put(replace(_row(url, one), digest=one.digest, run_id=run_id, version=version))


def _place(server: Mlflow, shown: Portrait, version: str) -> None:
    if shown.alias:
        server.point(shown.name, shown.alias, version)
    else:
        server.unpoint(shown.name, "champion", version)


def _row(url: str, one: Behind) -> MirrorRow:
    now = datetime.now(UTC)
    if one.row is None:
        return MirrorRow(url, one.model.model_id, "", "", "", "", now)
    return replace(one.row, error="", at=now)


def _judged(gate: GateRow) -> str:
    """The model that a verdict is about."""
    challenger = gate.body["challenger"]
    return str(challenger["model_id"]) if isinstance(challenger, dict) else ""
