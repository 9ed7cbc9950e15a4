"""Judge anybody on golden items: freely on ``dev``, and through the door of sealed answers on ``sealed``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from labeling.errors import InvalidInput, NothingToDo
from labeling.golden.enough import refuse_if_none_can, refuse_if_stale
from labeling.golden.judges import judging_rows
from labeling.judging.contender import Contender, Decisions, decide
from labeling.judging.contest import rows_digest
from labeling.judging.report import Origin, dimensions, report
from labeling.judging.sealed import Door, Json
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Golden, Lake


class EvaluationStores(Protocol):
    """The part of the ledger that sealed evaluation reads."""

    @property
    def golden(self) -> Golden: ...


def judge(golden: Golden, lake: Lake, contender: Contender, version: str, fields: Sequence[str] = ()) -> Json:
    """``slices``, ``series`` and ``left_out`` of the dev partition (``labeling.judging.report``). Raises NothingToDo
    where no row is left, TooLittleGold where those that are left can judge no policy, InvalidInput (a field)."""
    decided, left_out = _decided(golden, contender, version, Partition.DEV)
    refuse_if_none_can(golden, version, Partition.DEV, decided.rows, list(contender.thresholds), "judge")
    cut_by = dimensions(lake, decided.rows, fields)
    origin = Origin(version, contender.calibration_version)
    return report(decided, cut_by, contender.thresholds, origin) | {"left_out": left_out}


def ask_sealed(
    stores: EvaluationStores, lake: Lake, contender: Contender, version: str, fields: Sequence[str], door: Door
) -> Json:
    """``slices`` of the sealed partition, which the door counts, with what it says beside them. Raises BudgetSpent,
    TooLittleGold as ``judge`` does (told of the whole partition, so that no choice of predictions can ask by it), and
    InvalidInput for ``fields``: cuts of one's own could be laid around a single answer."""
    if fields:
        raise InvalidInput("slice: sealed answers are cut by the usual fields only; leave slices out")
    rows, _ = _fit(stores.golden, contender, version, Partition.SEALED)
    refuse_if_none_can(
        stores.golden, version, Partition.SEALED, rows, list(contender.thresholds), "judge", least=door.least
    )
    question: Json = {
        "kind": "evaluate",
        "model": contender.about(),
        "golden": {"version": version, "merkle_root": stores.golden.version(version).merkle_root},
        "rows": rows_digest(rows),
        "least": door.least,
    }

    def compute(_question_hash: str) -> Json:
        decided, left_out = _decided(stores.golden, contender, version, Partition.SEALED)
        cut_by = dimensions(lake, decided.rows)
        told = report(decided, cut_by, contender.thresholds, Origin(version, contender.calibration_version), door.least)
        return {"golden_version": version, "model": contender.about(), "left_out": left_out, **told}

    return door.ask(contender, version, question, compute)


def _fit(golden: Golden, contender: Contender, version: str, partition: Partition) -> tuple[list[GoldenItem], int]:
    everything = judging_rows(golden, version, partition)
    rows = contender.fit(everything) if everything else []
    if not rows:
        refuse_if_stale(golden, version, partition, list(contender.thresholds), "judge")
        raise NothingToDo(
            f"golden version {version} holds no item in its {partition} partition that {contender.model_id!r} has not "
            "learnt; label more first"
        )
    return rows, len(everything)


def _decided(golden: Golden, contender: Contender, version: str, partition: Partition) -> tuple[Decisions, int]:
    rows, total = _fit(golden, contender, version, partition)
    decided = decide(contender, rows)
    if not decided.rows:
        raise NothingToDo(f"{contender.model_id!r} says nothing about any item of the {partition} partition")
    return decided, total - len(decided.rows)
