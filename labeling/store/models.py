"""Trained models, at most one of each modality champion, and every move of theirs."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound, NothingToDo
from labeling.model_records import RESCORE, Model, ModelEvent, ModelState, owed_rescore
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update, now
from labeling.store.rows import dump, insert_missing, insert_row, load
from labeling.store.tables import model_events, models

TEXT = "text"
_CANDIDATE, _CHALLENGER, _CHAMPION, _ARCHIVED = ModelState
# What a person may do by hand; a champion comes by ``promote`` or ``rollback`` and goes when another comes.
MOVES = {_CANDIDATE: (_CHALLENGER, _ARCHIVED), _CHALLENGER: (_ARCHIVED,)}


class SqlModels:
    """``Models`` in SQL. Raises NotFound for an unknown id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, model: Model) -> None:
        with self._database.write() as connection:
            row = dump(model)
            row["created_at"] = model.created_at or now(connection)
            if insert_missing(connection, models, [row], models.c.model_id):
                return
            there = _find(connection, model.model_id)
            if there is None:
                raise Conflict(f"model {model.model_id!r}: there is a champion already; add it as a candidate")
            if there.version != model.version:
                raise Conflict(f"model {model.model_id!r} is there already with other weights; use another id")

    def get(self, model_id: str) -> Model:
        with self._database.read() as connection:
            return _get(connection, model_id)

    def all(self) -> list[Model]:
        """Oldest first."""
        query = sa.select(models).order_by(models.c.created_at, models.c.model_id)
        with self._database.read() as connection:
            return [load(Model, row) for row in connection.execute(query).mappings()]

    def champion(self, modality: str = TEXT) -> Model | None:
        query = sa.select(models).where(models.c.state == ModelState.CHAMPION.value, models.c.modality == modality)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else load(Model, row)

    def set_metrics(self, model_id: str, metrics: Mapping[str, object]) -> None:
        with self._database.write() as connection:
            row = for_update(connection, sa.select(models.c.metrics).where(models.c.model_id == model_id))
            connection.execute(row)
            _update(connection, model_id, {"metrics": {**_get(connection, model_id).metrics, **metrics}})

    def move(self, model_id: str, state: ModelState, actor: str, reason: str = "") -> Model:
        with self._database.write() as connection:
            before = _locked(connection, model_id).state
            if before is state:
                return _get(connection, model_id)
            if state not in MOVES.get(before, ()):
                raise Conflict(f"model {model_id!r} is {before}: it cannot become {state}; {_CURES[before]}")
            _place(connection, model_id, "move", before, state, actor, reason=reason)
            return _get(connection, model_id)

    def promote(
        self, model_id: str, actor: str, *, over: str | None, gate_id: str = "", reason: str = "", rescore: str = ""
    ) -> Model:
        with self._database.write() as connection:
            model = _locked(connection, model_id)
            champion, before = _champion(connection, model.modality), model.state
            if champion == model_id:
                if rescore:
                    _owe(connection, model_id, rescore)
                return _get(connection, model_id)
            if champion != over:
                raise Conflict(
                    f"the champion is {champion or 'none'} and not {over or 'none'} any more: run the gate against it"
                )
            if before is _ARCHIVED:
                raise Conflict(f"model {model_id!r} is archived: {_CURES[before]}")
            if before is _CANDIDATE:
                _place(connection, model_id, "move", before, _CHALLENGER, actor, gate_id=gate_id, reason=reason)
            _crown(connection, model_id, champion, actor, kind="promote", gate_id=gate_id, reason=reason)
            _owe(connection, model_id, rescore)
            return _get(connection, model_id)

    def rollback(self, actor: str, reason: str = "", modality: str = TEXT, *, rescore: str = "") -> Model:
        with self._database.write() as connection:
            champion = _champion(connection, modality)
            if champion is None:
                raise NothingToDo(f"no model is the champion of {modality}s, so there is nothing to roll back")
            won = _last_win(connection, champion)
            if won is None or not won.replaced:
                raise NothingToDo(f"model {champion!r} is the first champion: there is none before it to bring back")
            _crown(connection, won.replaced, champion, actor, kind="rollback", reason=reason)
            _owe(connection, won.replaced, rescore)
            return _get(connection, won.replaced)

    def rescore_begun(self, model_id: str, job_id: str) -> None:
        with self._database.write() as connection:
            if owed_rescore(_locked(connection, model_id)) == job_id:
                _owe(connection, model_id, "")

    def history(self, model_id: str | None = None) -> list[ModelEvent]:
        query = sa.select(model_events).order_by(model_events.c.seq)
        if model_id is not None:
            query = query.where(model_events.c.model_id == model_id)
        with self._database.read() as connection:
            return [load(ModelEvent, row) for row in connection.execute(query).mappings()]


_CURES = {
    _CANDIDATE: "run the gate first (goldfold gate)",
    _CHALLENGER: "promote it (goldfold promote), or archive it",
    _CHAMPION: "promote another model, or go back (goldfold rollback)",
    _ARCHIVED: "go back to it (goldfold rollback), or train it under a new id",
}


def _champion(connection: sa.Connection, modality: str) -> str | None:
    query = sa.select(models.c.model_id).where(models.c.state == _CHAMPION.value, models.c.modality == modality)
    return connection.execute(for_update(connection, query)).scalar_one_or_none()


def _last_win(connection: sa.Connection, model_id: str) -> ModelEvent | None:
    """How a model became champion for the first time since it was a challenger: a rollback to it changes nothing."""
    query = sa.select(model_events).where(model_events.c.model_id == model_id, model_events.c.kind == "promote")
    row = connection.execute(query.order_by(model_events.c.seq.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else load(ModelEvent, row)


def _crown(
    connection: sa.Connection,
    model_id: str,
    champion: str | None,
    actor: str,
    *,
    kind: str,
    gate_id: str = "",
    reason: str = "",
) -> None:
    """The one before goes first, since there may be one champion only."""
    if champion is not None:
        _place(connection, champion, "move", _CHAMPION, _ARCHIVED, actor, reason=f"{kind} of {model_id}")
    before = _locked(connection, model_id).state
    about = {"replaced": champion or "", "gate_id": gate_id, "reason": reason}
    _place(connection, model_id, kind, before, _CHAMPION, actor, **about)
    _update(connection, model_id, {"promoted_at": now(connection)})


def _owe(connection: sa.Connection, model_id: str, job_id: str) -> None:
    """In the transaction that crowns, so that nobody who dies after it can forget the job. "": none is owed."""
    metrics = dict(_get(connection, model_id).metrics)
    metrics.pop(RESCORE, None)
    _update(connection, model_id, {"metrics": metrics | ({RESCORE: job_id} if job_id else {})})


def _place(
    connection: sa.Connection,
    model_id: str,
    kind: str,
    before: ModelState,
    after: ModelState,
    actor: str,
    **about: str,
) -> None:
    """The move itself, its event and its line in the audit."""
    _update(connection, model_id, {"state": after.value})
    told = {"replaced": "", "gate_id": "", "reason": "", **about}
    event = ModelEvent(model_id, kind, before, after, actor=actor, at=now(connection), **told)
    insert_row(connection, model_events, dump(event))
    detail = {"from": before.value, "to": after.value, "version": _get(connection, model_id).version}
    write_audit(connection, actor, f"model.{kind}", model_id, detail | {k: v for k, v in told.items() if v})


def _locked(connection: sa.Connection, model_id: str) -> Model:
    connection.execute(for_update(connection, sa.select(models.c.state).where(models.c.model_id == model_id)))
    return _get(connection, model_id)


def _find(connection: sa.Connection, model_id: str) -> Model | None:
    row = connection.execute(sa.select(models).where(models.c.model_id == model_id)).mappings().one_or_none()
    return None if row is None else load(Model, row)


def _get(connection: sa.Connection, model_id: str) -> Model:
    model = _find(connection, model_id)
    if model is None:
        raise NotFound(f"no model has the id {model_id!r}")
    return model


def _update(connection: sa.Connection, model_id: str, values: Mapping[str, object]) -> None:
    connection.execute(sa.update(models).where(models.c.model_id == model_id).values(dict(values)))
