"""Judge anybody on golden items: freely on ``dev``, and through the door of sealed answers on ``sealed``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from labeling.errors import InvalidInput, NothingToDo
from labeling.golden.enough import refuse_if_none_can, refuse_if_stale
from labeling.golden.judges import decidable, judging_rows, unread
from labeling.judging.contender import TEXT, Contender, Decisions, decide
from labeling.judging.contest import rows_digest
from labeling.judging.frozen import GONE, gone_rows, kept, told
from labeling.judging.report import Ground, dimensions, report
from labeling.judging.sealed import Door, Json
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Golden, Lake


class EvaluationStores(Protocol):
    """The part of the ledger that sealed evaluation reads."""

    @property
    def golden(self) -> Golden: ...


def judge(golden: Golden, lake: Lake, contender: Contender, version: str, fields: Sequence[str] = ()) -> Json:
    """``slices``, ``series``, ``left_out`` and ``beside`` of the dev partition (``labeling.judging.report``). Raises
    NothingToDo where no row is left, TooLittleGold where those that are left can judge no policy, InvalidInput (a
    field)."""
    rows = judging_rows(golden, version, Partition.DEV, contender.modality)
    decided, left_out = _decided(golden, rows, contender, version, Partition.DEV)
    refuse_if_none_can(golden, version, Partition.DEV, decided.rows, list(contender.thresholds), "judge")
    cut_by = dimensions(lake, decided.rows, fields)
    ground = Ground(version, Partition.DEV, contender.calibration_version)
    passed = unread(golden, version, Partition.DEV, contender.modality)
    said = report(decided, cut_by, contender.thresholds, ground, unread=passed)
    return said | {"left_out": left_out, "beside": contender.beside()}


def ask_sealed(
    stores: EvaluationStores, lake: Lake, contender: Contender, version: str, fields: Sequence[str], door: Door
) -> Json:
    """``slices`` of the sealed partition, which the door counts, with what it says beside them. Raises BudgetSpent,
    TooLittleGold as ``judge`` does (told of the whole partition, so that no choice of predictions can ask by it), and
    InvalidInput for ``fields``: cuts of one's own could be laid around a single answer."""
    if fields:
        raise InvalidInput("slice: sealed answers are cut by the usual fields only; leave slices out")
    gone = gone_rows(stores.golden, door.stores.sealed, version, door.least)
    everything = decidable(kept(gone, stores.golden.members(version)), Partition.SEALED, contender.modality)
    rows = _fit(stores.golden, everything, contender, version, Partition.SEALED)
    refuse_if_none_can(
        stores.golden, version, Partition.SEALED, rows, list(contender.thresholds), "judge", least=door.least
    )
    question: Json = {
        "kind": "evaluate",
        "model": contender.about(),
        "golden": {"version": version, "merkle_root": stores.golden.version(version).merkle_root},
        "rows": rows_digest(rows),
        "least": door.least,
        GONE: told(gone),
    }

    def compute(_question_hash: str) -> Json:
        decided, left_out = _decided(stores.golden, everything, contender, version, Partition.SEALED)
        cut_by = dimensions(lake, decided.rows)
        ground = Ground(version, Partition.SEALED, contender.calibration_version)
        passed = unread(stores.golden, version, Partition.SEALED, contender.modality)
        said = report(decided, cut_by, contender.thresholds, ground, door.least, passed)
        beside = {"left_out": left_out, "beside": contender.beside()}
        return {"golden_version": version, "model": contender.about(), **beside, **said}

    return door.ask(contender, version, question, compute)


def _fit(
    golden: Golden, everything: Sequence[GoldenItem], contender: Contender, version: str, partition: Partition
) -> list[GoldenItem]:
    rows = contender.fit(everything) if everything else []
    if not rows:
        refuse_if_stale(golden, version, partition, list(contender.thresholds), "judge")
        kind = "" if contender.modality == TEXT else f"{contender.modality} "
        raise NothingToDo(
            f"golden version {version} holds no {kind}item in its {partition} partition that {contender.model_id!r} "
            "has not learnt; label more first"
        )
    return rows


def _decided(
    golden: Golden, everything: Sequence[GoldenItem], contender: Contender, version: str, partition: Partition
) -> tuple[Decisions, int]:
    decided = decide(contender, _fit(golden, everything, contender, version, partition))
    if not decided.rows:
        raise NothingToDo(
            f"{contender.model_id!r} says nothing about any item of the {partition} partition{_why(contender)}"
        )
    return decided, len(everything) - len(decided.rows)


def _why(contender: Contender) -> str:
    """What it says of the items that it could not judge, most common first."""
    unread = contender.beside().get("unread")
    reasons = unread.get("reasons") if isinstance(unread, dict) else None
    return f": {next(iter(reasons))}" if reasons else ""
