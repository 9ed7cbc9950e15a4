"""Judged decisions as columns: what somebody decided, beside what gold says, and under which circumstances.

A label is written ``policy:outcome`` or ``policy:outcome/rule``, such as ``harm:violates/threat`` (``label``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.decision_records import ErrorType

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HUMAN, MODEL, AGENT = "human", "model", "agent"
SOURCES = (HUMAN, MODEL, AGENT)
TECHNICAL = (
    ErrorType.TECHNICAL.value
)  # in the column ``error``: a tool failed, so the given label says nothing of anybody
NEEDED = ("item", "gold", "given")
COLUMNS = (*NEEDED, "error", "group", "cluster", "person", "team", "language", "shift", "source", "tool")


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """``codes`` (n,) into ``names``, which are sorted; -1: not known, or it does not apply."""

    codes: I64
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str] | npt.NDArray[np.object_]) -> Column:
        """ "" is not known."""
        given = np.asarray(values, dtype=object)
        names, known = sorted(set(given.tolist()) - {""}), given != ""
        place = {name: code for code, name in enumerate(names)}
        codes = np.full(len(given), -1, dtype=np.int64)
        codes[known] = [place[value] for value in given[known].tolist()]
        return cls(codes, tuple(str(name) for name in names))

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """n decisions. ``given`` of a technical error is ``technical``. ``group``: near-duplicates, which are one
    observation. ``cohorts``: person (humans only), team, language, shift, model, agent, tool. ``actor``: human, or the
    model's or agent's name; ``kinds``: of each actor its source."""

    item: Column
    group: Column
    gold: Column
    given: Column
    cluster: Column
    cohorts: Mapping[str, Column]
    actor: Column
    kinds: tuple[str, ...]
    wrong: Flags

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str]]) -> Judged:
        """``COLUMNS`` by name, of equal length; those beside ``NEEDED`` may be missing, "" is not known. ``source`` is
        human (default), model or agent, ``person`` then its name. Raises ValueError naming the column."""
        table = _checked(columns)
        source = np.where(table["source"] == "", HUMAN, table["source"])
        person = table["person"]
        given = np.where(table["error"] == TECHNICAL, TECHNICAL, table["given"])
        cohorts = {
            "person": np.where(source == HUMAN, person, ""),
            "team": table["team"],
            "language": table["language"],
            "shift": table["shift"],
            "model": np.where(source == MODEL, np.where(person == "", MODEL, person), ""),
            "agent": np.where(source == AGENT, np.where(person == "", AGENT, person), ""),
            "tool": table["tool"],
        }
        names = np.where(person == "", source, person)
        actor = Column.of(np.where(source == HUMAN, HUMAN, source + ":" + names))
        return cls(
            item=Column.of(table["item"]),
            group=Column.of(np.where(table["group"] == "", table["item"], table["group"])),
            gold=Column.of(table["gold"]),
            given=Column.of(given),
            cluster=Column.of(table["cluster"]),
            cohorts={name: Column.of(values) for name, values in cohorts.items()},
            actor=actor,
            kinds=tuple(name.partition(":")[0] for name in actor.names),
            wrong=np.asarray(given != table["gold"], dtype=np.bool_),
        )

    def __len__(self) -> int:
        return len(self.wrong)


def label(policy: str, outcome: str, rule: str | None = None) -> str:
    """How a label is written here."""
    return f"{policy}:{outcome}/{rule}" if rule else f"{policy}:{outcome}"


def error_type(gold: str, given: str) -> ErrorType | None:
    """Of which type it is to say ``given`` where gold says ``gold``; None: it is right. An item that wants context is
    not enforced."""
    if given == TECHNICAL:
        return ErrorType.TECHNICAL
    if gold == given:
        return None
    due, done = (_outcome(name) == "violates" for name in (gold, given))
    if due == done:
        return ErrorType.WRONG_SELECTION
    return ErrorType.OVER if done else ErrorType.UNDER


def _outcome(name: str) -> str:
    return name.partition(":")[2].partition("/")[0]


def _checked(columns: Mapping[str, Sequence[str]]) -> dict[str, npt.NDArray[np.object_]]:
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise ValueError(f"{missing[0]}: this column is missing")
    n = len(columns["item"])
    table: dict[str, npt.NDArray[np.object_]] = {}
    for name in COLUMNS:
        values = columns.get(name)
        table[name] = np.full(n, "", dtype=object) if values is None else np.asarray(values, dtype=object)
        if len(table[name]) != n:
            raise ValueError(f"{name}: {len(table[name])} values for {n} items")
    for name in NEEDED:
        if np.any(table[name] == ""):
            raise ValueError(f"{name}: row {int(np.flatnonzero(table[name] == '')[0])} is empty")
    odd = ~np.isin(table["source"].astype(str), ("", *SOURCES))
    if odd.any():
        raise ValueError(f"source: {table['source'][odd][0]!r} is none of {', '.join(SOURCES)}")
    return table
