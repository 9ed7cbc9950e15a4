"""Production's decisions through the door: rows checked as a whole, then appended to the ledger in chunks.

Two passes, as for content: the first checks every row and writes nothing, so a source with a bad row is refused whole;
the second appends. A decision is known by its source and id, so a killed import is started again and adds the rest.
The item must have been ingested before: a decision brings no content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from labeling.decision_records import Decided, Decision, Source
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
from labeling.policy_versions import History, PolicyVersion, by_policy
from labeling.records import RegisteredItem
from labeling.store.decision_interface import Decisions, Key
from labeling.store.interfaces import ItemRegistry, Lake, PolicyVersions
from selection.hashing import uniform


class DecisionRow(BaseModel):
    """A decision as it comes in. ``item``: the item's external_id. Left out: ``policy_version`` is the one in force
    when it was decided, ``language`` the item's."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    decision_id: Name
    source: Source
    who: Name
    item: Name
    policy: Name
    policy_version: Word = ""
    outcome: Decided
    rule: Word = ""
    action: Word = ""
    decided_at: AwareDatetime
    project: Name
    team: Word = ""
    language: Annotated[str, StringConstraints(pattern=LANGUAGE)] | None = None
    market: Word = ""
    shift: Word = ""
    tool: Word = ""


class Stores(Protocol):
    """The part of the ledger that decisions are taken into."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def decisions(self) -> Decisions: ...

    @property
    def policies(self) -> PolicyVersions: ...


@dataclass(frozen=True, slots=True)
class ImportReport:
    """``read`` = ``added`` + ``already_there`` + ``repeated`` (the same row again in this source). With ``dry_run``
    nothing was written, and ``added`` says what would have been."""

    read: int
    added: int
    already_there: int
    repeated: int
    dry_run: bool


def import_decisions(
    source: Rows,
    stores: Stores,
    lake: Lake,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> ImportReport:
    """Append the decisions of a file or a list. Raises InvalidInput whose ``problems`` name the first 50 bad rows, by
    row and field; a decision that is there with other content is one of them."""
    job = _Import(source, stores, lake, chunk_rows, progress or silent)
    checked = job.check()
    if dry_run:
        return checked
    added = job.write(checked.read)
    return ImportReport(checked.read, added, checked.read - checked.repeated - added, checked.repeated, dry_run)


@dataclass
class _Import:
    source: Rows
    stores: Stores
    lake: Lake
    chunk_rows: int
    progress: Progress

    def check(self) -> ImportReport:
        """What it would do. Raises InvalidInput."""
        seen: dict[Key, int] = {}
        problems: list[Problem] = []
        read = there = repeated = 0
        for chunk in self._chunks():
            read += len(chunk)
            known = self.stores.decisions.find([one.key for _, one in chunk if isinstance(one, Decision)])
            for number, one in chunk:
                if isinstance(one, Problem):
                    problems.append(one)
                    continue
                before, print_ = seen.get(one.key), hash(one)
                if (before is not None and before != print_) or (one.key in known and not one.says_as(known[one.key])):
                    problems.append(Problem(number, "decision_id", "is there with other content; use another id"))
                repeated += before is not None
                there += before is None and one.key in known
                seen.setdefault(one.key, print_)
            if len(problems) >= MAX_PROBLEMS:
                break
            self.progress("checking", read, None)
        refuse(self.source, problems[:MAX_PROBLEMS], DecisionRow)
        return ImportReport(read, read - there - repeated, there, repeated, dry_run=True)

    def write(self, rows: int) -> int:
        """Append them; how many were new. Raises InvalidInput when the source changed under the reader."""
        added = done = 0
        for chunk in self._chunks():
            refuse(self.source, [one for _, one in chunk if isinstance(one, Problem)][:MAX_PROBLEMS], DecisionRow)
            made = {one.key: one for _, one in chunk if isinstance(one, Decision)}
            added += self.stores.decisions.add(list(made.values()))
            done += len(chunk)
            self.progress("writing", done, rows)
        return added

    def _chunks(self) -> Iterator[list[tuple[int, Decision | Problem]]]:
        return chunks(self.source, self.chunk_rows, DecisionRow, self._prepare)

    def _prepare(self, rows: Sequence[DecisionRow]) -> Callable[[int, DecisionRow], Decision | list[Problem]]:
        items = self.stores.items.known([row.item for row in rows])
        bare = [items[row.item].item_id for row in rows if not row.language and row.item in items]
        spoken = languages(self.lake, bare)
        return lambda number, row: self._decision(number, row, items, spoken)

    def _decision(
        self, number: int, row: DecisionRow, items: Mapping[str, RegisteredItem], spoken: Mapping[str, str]
    ) -> Decision | list[Problem]:
        item, history = items.get(row.item), self._histories.get(row.policy, ())
        version = _version(history, row.policy_version, row.decided_at)
        problems = [] if item else [Problem(number, "item", "no item has that external_id; ingest it first")]
        if not history:
            problems.append(Problem(number, "policy", f"is unknown (known: {', '.join(sorted(self._histories))})"))
        elif version is None:
            known = ", ".join(one.version for one in history)
            problems.append(Problem(number, "policy_version", f"{row.policy} has no such version (known: {known})"))
        elif row.rule and row.outcome is Decided.OK:
            problems.append(Problem(number, "rule", "only a violation has a rule; leave it out, or mend the outcome"))
        elif row.rule and row.rule not in (rules := self._rules(version)):
            told = f"{row.policy} {version.version} has no such rule (known: {', '.join(rules)})"
            problems.append(Problem(number, "rule", told))
        if problems or item is None or version is None:
            return problems
        at = row.decided_at.astimezone(UTC)
        return Decision(
            source=row.source,
            decision_id=row.decision_id,
            item_id=item.item_id,
            policy_id=row.policy,
            policy_version=version.version,
            who=row.who,
            outcome=row.outcome,
            rule=row.rule or None,
            action=row.action,
            decided_at=datetime.combine(at.date(), at.timetz()),
            project=row.project,
            team=row.team,
            language=row.language or spoken[item.item_id],
            market=row.market,
            shift=row.shift,
            tool=row.tool,
            lot=uniform("decision", row.source.value, row.decision_id),
        )

    @cached_property
    def _histories(self) -> dict[str, list[PolicyVersion]]:
        return {policy_id: list(history) for policy_id, history in by_policy(self.stores.policies.all()).items()}

    @cached_property
    def _known_rules(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return {}

    def _rules(self, version: PolicyVersion) -> tuple[str, ...]:
        key = (version.policy_id, version.version)
        if key not in self._known_rules:
            self._known_rules[key] = version.policy.rule_ids
        return self._known_rules[key]


def _version(history: History, named: str, at: datetime) -> PolicyVersion | None:
    """The version named, or the one in force at a time: the first one, for what was decided before it was published
    here."""
    if named or not history:
        return next((one for one in history if one.version == named), None)
    return next((one for one in reversed(history) if one.at <= at), history[0])
