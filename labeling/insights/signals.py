"""Appeals, reports and other signals through the door, as decisions come in: rows checked as a whole, then appended.

A signal is known by its kind and id. An appeal that is there as pending may come again with its outcome, once. Signals
are never answers: no label, golden item or accuracy is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import cached_property
from typing import Annotated, Protocol, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, model_validator

from labeling.decision_records import Decision, Source
from labeling.insights.daily_qa import bounds
from labeling.insights.door import (
    CHUNK_ROWS,
    LANGUAGE,
    MAX_PROBLEMS,
    Name,
    Progress,
    Rows,
    Word,
    chunks,
    languages,
    refuse,
    silent,
)
from labeling.items import Problem
from labeling.policy_versions import by_policy
from labeling.records import RegisteredItem
from labeling.signal_records import AppealOutcome, Signal, SignalKind
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import ItemRegistry, Lake, PolicyVersions
from labeling.store.signal_interface import Key, Signals

Json = dict[str, object]


class SignalRow(BaseModel):
    """A signal as it comes in. ``item``: the item's external_id. ``decision``: source and id of the decision it is
    about, such as ``human/d-1``, where it is known. ``language`` left out: the item's."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    signal_id: Name
    kind: SignalKind
    item: Name
    policy: Name
    project: Name
    at: AwareDatetime
    outcome: AppealOutcome | None = None
    decision: Word = ""
    language: Annotated[str, StringConstraints(pattern=LANGUAGE)] | None = None

    @model_validator(mode="after")
    def _an_appeal_has_an_outcome(self) -> Self:
        if (self.kind is SignalKind.APPEAL) != (self.outcome is not None):
            raise ValueError("outcome: every appeal has one (pending, upheld, overturned), and nothing else has")
        return self


class Stores(Protocol):
    """The part of the ledger that signals are taken into."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def decisions(self) -> Decisions: ...

    @property
    def policies(self) -> PolicyVersions: ...

    @property
    def signals(self) -> Signals: ...


@dataclass(frozen=True, slots=True)
class SignalReport:
    """``read`` = ``added`` + ``settled`` + ``already_there`` + ``repeated`` (the same signal again in this source).
    ``settled``: pending appeals that have their outcome now. With ``dry_run`` nothing was written."""

    read: int
    added: int
    settled: int
    already_there: int
    repeated: int
    dry_run: bool


def import_signals(
    source: Rows,
    stores: Stores,
    lake: Lake,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> SignalReport:
    """Append the signals of a file or a list. Raises InvalidInput whose ``problems`` name the first 50 bad rows, by row
    and field; a signal that is there with other content is one of them."""
    job = _Import(source, stores, lake, chunk_rows, progress or silent)
    checked = job.check()
    if not dry_run:
        job.write(checked.read)
    return SignalReport(checked.read, checked.added, checked.settled, checked.already_there, checked.repeated, dry_run)


def count_signals(signals: Signals, last: date, days: int, zone: str) -> list[Json]:
    """How many signals each of the ``days`` days up to ``last`` has, by project, kind and outcome; the newest first."""
    told: list[Json] = []
    for day in (last - timedelta(days=back) for back in range(days)):
        counts = signals.count(*bounds(day, zone))
        rows = [
            {"project": project, "kind": kind, "outcome": outcome or None, "signals": n}
            for (project, kind, outcome), n in counts.items()
        ]
        told.append({"day": day.isoformat(), "signals": sum(counts.values()), "by": rows})
    return told


@dataclass
class _Import:
    source: Rows
    stores: Stores
    lake: Lake
    chunk_rows: int
    progress: Progress

    def check(self) -> SignalReport:
        """What it would do. Raises InvalidInput."""
        seen: dict[Key, Signal] = {}
        problems: list[Problem] = []
        read = there = repeated = settled = 0
        for chunk in self._chunks():
            read += len({number for number, _ in chunk})
            known = self.stores.signals.find([one.key for _, one in chunk if isinstance(one, Signal)])
            for number, one in chunk:
                if isinstance(one, Problem):
                    problems.append(one)
                    continue
                before = seen.get(one.key, known.get(one.key))
                if before is not None and not (one.says_as(before) or one.settles(before)):
                    problems.append(Problem(number, "signal_id", "is there with other content; use another id"))
                repeated += one.key in seen
                if one.key not in seen and one.key in known:
                    settled += one.settles(known[one.key])
                    there += not one.settles(known[one.key])
                seen[one.key] = one if before is None or one.settles(before) else before
            if len(problems) >= MAX_PROBLEMS:
                break
            self.progress("checking", read, None)
        refuse(self.source, problems[:MAX_PROBLEMS], SignalRow)
        added = read - there - repeated - settled
        return SignalReport(read, added, settled, there, repeated, dry_run=True)

    def write(self, rows: int) -> None:
        """Append them. Raises InvalidInput when the source changed under the reader."""
        done = 0
        for chunk in self._chunks():
            refuse(self.source, [one for _, one in chunk if isinstance(one, Problem)][:MAX_PROBLEMS], SignalRow)
            made: dict[Key, Signal] = {}
            for one in (one for _, one in chunk if isinstance(one, Signal)):
                if one.key not in made or one.settles(made[one.key]):
                    made[one.key] = one
            self.stores.signals.add(list(made.values()))
            done += len(chunk)
            self.progress("writing", done, rows)

    def _chunks(self) -> Iterator[list[tuple[int, Signal | Problem]]]:
        return chunks(self.source, self.chunk_rows, SignalRow, self._prepare, whole="outcome")

    def _prepare(self, rows: Sequence[SignalRow]) -> Callable[[int, SignalRow], Signal | list[Problem]]:
        items = self.stores.items.known([row.item for row in rows])
        spoken = languages(self.lake, [items[row.item].item_id for row in rows if row.item in items])
        decided = self.stores.decisions.find([_named(row.decision) for row in rows if row.decision])
        return lambda number, row: self._signal(number, row, items, spoken, decided)

    def _signal(
        self,
        number: int,
        row: SignalRow,
        items: Mapping[str, RegisteredItem],
        spoken: Mapping[str, str],
        decided: Mapping[Key, Decision],
    ) -> Signal | list[Problem]:
        item, problems = items.get(row.item), list[Problem]()
        if item is None:
            problems.append(Problem(number, "item", "no item has that external_id; ingest it first"))
        if row.policy not in self._policies:
            problems.append(Problem(number, "policy", f"is unknown (known: {', '.join(sorted(self._policies))})"))
        if row.decision and not problems and item is not None:
            about = decided.get(_named(row.decision))
            if about is None:
                told = "no such decision; write source and id, such as human/d-1, import it first, or leave it out"
                problems.append(Problem(number, "decision", told))
            elif about.pair != (item.item_id, row.policy):
                problems.append(Problem(number, "decision", "is about another item or policy; mend it or leave it out"))
        if problems or item is None:
            return problems
        source, name = _named(row.decision)
        language = row.language or spoken[item.item_id]
        at = row.at.astimezone(UTC)
        return Signal(
            row.kind, row.signal_id, item.item_id, row.policy, row.project, language, at, row.outcome, source, name
        )

    @cached_property
    def _policies(self) -> set[str]:
        return set(by_policy(self.stores.policies.all()))


def _named(decision: str) -> Key:
    source, _, name = decision.partition("/")
    return (source, name) if source in {one.value for one in Source} else ("", "")
