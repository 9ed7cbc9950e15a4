"""From answers to gold: decide every task that has its answers, fold what is decided, ask a lead where it is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol

from labeling.adjudication import Refusal, adjudication_id, adjudication_task, agreement, settle
from labeling.consensus import Agreed, Decision, Disputed, Doubtful, Widening, author, decide
from labeling.errors import LabelingError, StoreError, UnknownItem
from labeling.golden.fold import ItemReader, ReadAhead, fold
from labeling.golden.near import Subject
from labeling.golden.partition import Groups
from labeling.policy_versions import by_policy, parts
from labeling.purposes import DAILY_QA, is_old_side, purpose
from labeling.records import Adjudication, Annotation, Answer, GoldState, PickRow, Round, Task, TaskKind, TaskState
from labeling.reviews import contested, differs, is_reviewed, review_task, second_verdict
from labeling.second_looks import WITHDRAWN, Earlier, decide_again, earlier, fresh, judges, once_more
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import Annotations, Golden, ItemRegistry, Lake, PolicyVersions, Rounds, Tasks
from selection.types import RELABEL

CHUNK = 500
WAITING = (TaskState.SENT, TaskState.ANSWERED)
Groupings = Callable[[], Groups]  # the golden set's near-duplicate groups, read when the first item is folded
Answers = Mapping[str, Sequence[Annotation]]  # by task id
Read = Callable[[str], bytes]  # the bytes of an item's media


class MorePeople(Protocol):
    """Adaptive overlap, as ``labeling.widening`` has it."""

    @property
    def rules(self) -> Widening: ...

    def ask(self, task: Task) -> bool:
        """Have one more person asked about a blind task; False when there is no budget or nobody left."""


class Stores(Protocol):
    """The part of the ledger that settling needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def policies(self) -> PolicyVersions: ...

    @property
    def decisions(self) -> Decisions: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A task that cannot be settled as it is, and why; it does not hold up the others."""

    task_id: str
    reason: str


@dataclass(slots=True)
class SettleReport:
    """What one run did: tasks ``settled`` (of which ``golden`` became gold, and ``contested`` are those that two leads
    decided differently), ``disputed`` ones newly sent to a lead, ``widened`` ones about which one more person is asked
    now, tasks still ``waiting`` for people (those among them), answers that do not count, and tasks that could not be
    settled."""

    settled: int = 0
    golden: int = 0
    disputed: int = 0
    widened: int = 0
    waiting: int = 0
    contested: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LeadDesk:
    """How leads work. ``precedents``: what a new question shows of how near ones were decided. ``review_share`` of the
    adjudications, in [0, 1], is decided by a second lead too."""

    precedents: Callable[[Task], str] = lambda _task: ""
    review_share: float = 0.0


def settle_all(
    stores: Stores,
    lake: Lake,
    groups: Groupings,
    leads: Collection[str] = (),
    more: MorePeople | None = None,
    *,
    desk: LeadDesk | None = None,
    read: Read | None = None,
) -> SettleReport:
    """Go through every task that was sent and is not settled. Safe to run again at any point.

    ``leads``: the e-mail addresses of those whose adjudications count; empty: anybody's who did not label the copy.
    ``more``: whether and when one more person is asked; None: never. ``read``: gives the bytes of an image's media.

    A task that breaks a rule (its item was erased, its content does not match its hash, its blind copy is quarantined)
    becomes a problem of the report; StoreError ends the run.
    """
    run = _Settling(stores, lake, groups, leads, more, desk or LeadDesk(), read)
    for kind, step in (
        (TaskKind.BLIND, run.blind),
        (TaskKind.ADJUDICATION, run.adjudication),
        (TaskKind.REVIEW, run.review),
    ):
        open_tasks = stores.tasks.where(states=WAITING, kind=kind)
        for start in range(0, len(open_tasks), CHUNK):
            chunk = open_tasks[start : start + CHUNK]
            answers = stores.annotations.current([task.task_id for task in chunk])
            run.coming = [task for task in chunk if answers.get(task.task_id)]
            step(chunk, answers)
        run.refuse(kind)
    stores.policies.restate()  # what was asked under an older policy version may be stale as it comes
    return run.report


class _Settling:
    """One run: the report it fills, and what it has read once."""

    def __init__(
        self,
        stores: Stores,
        lake: Lake,
        groups: Groupings,
        leads: Collection[str],
        more: MorePeople | None,
        desk: LeadDesk,
        read: Read | None,
    ) -> None:
        self._read_media = read
        self._leads = leads
        self._more = more
        self._desk = desk
        self._stores = stores
        self._lake = lake
        self._read_groups = groups
        self._groups: Groups | None = None
        self._rounds: dict[str, Round] = {}
        self._picks: dict[str, dict[tuple[str, str], PickRow]] = {}
        self._held: dict[str, dict[str, str]] = {}
        self._deciders: dict[str, Mapping[tuple[str, str], frozenset[str]]] = {}
        self._items: ItemReader = lake
        self._ahead: tuple[Groups, Sequence[Task]] | None = None
        self.coming: Sequence[Task] = ()  # those of the tasks that come next which may be folded
        self.report = SettleReport()

    def refuse(self, kind: TaskKind) -> None:
        """Say which answers to tasks that still wait are none, until somebody corrects them."""
        waiting = self._stores.tasks.where(states=WAITING, kind=kind)
        policies = {task.task_id: task.policy_id for task in waiting}
        for event in self._stores.annotations.invalid(list(policies)):
            task = f"task {event.task_id} of {policies[event.task_id]}"
            reason = f"gave {task} what is no answer: {event.detail}; correct it in Label Studio"
            self.report.refusals.append(Refusal(event.annotator, reason))
        for event in self._stores.annotations.strangers(list(policies)):
            reason = f"answered task {event.task_id}, which lies on another person's desk; it counts from them alone"
            self.report.refusals.append(Refusal(author(event), reason))

    def blind(self, tasks: Sequence[Task], answers: Answers) -> None:
        """Fold what the annotators agree on; ask a lead where they do not."""
        questions: list[Task] = []
        answered: list[str] = []
        before = self._before(tasks)
        for task in tasks:
            decision = self._decision(task, answers.get(task.task_id, []), before.get(task.task_id))
            if isinstance(decision, Agreed):
                self._fold(task, agreement(task, decision, _now()), before.get(task.task_id))
            elif isinstance(decision, Disputed):
                questions.append(adjudication_task(task, decision, _now()))
                answered += [task.task_id] if task.state is TaskState.SENT else []
            else:
                if task.state is TaskState.ANSWERED:
                    self._show_again(task)
                self.report.waiting += 1
                self.report.widened += isinstance(decision, Doubtful)
        self._stores.tasks.set_state(answered, TaskState.ANSWERED)
        asked = self._stores.tasks.find([question.task_id for question in questions])
        new = [
            replace(question, precedents=self._desk.precedents(question))
            for question in questions
            if question.task_id not in asked
        ]
        self._stores.tasks.add(new)
        self.report.disputed += len(new)

    def _show_again(self, task: Task) -> None:
        """An answer was taken back: the task waits for people again, on its screen or for a new one."""
        if self._stores.tasks.get(task.task_id).state is TaskState.ANSWERED:
            shown = task.project_id is not None or self._stores.tasks.children([task.task_id], TaskKind.COPY)
            self._stores.tasks.set_state([task.task_id], TaskState.SENT if shown else TaskState.QUEUED)

    def _first(self, task: Task, answers: Sequence[Annotation]) -> Decision:
        """With one more person asked where that is called for and possible."""
        if self._more is None or task.overlap >= self._more.rules.max_overlap:
            return decide(task, answers)
        pick = self._round_picks(task.round_id).get((task.item_id, task.policy_id))
        decision = decide(task, answers, self._more.rules, pick.probability if pick else None)
        if not isinstance(decision, Doubtful):
            return decision
        if self._is_asked(task) or not self._more.ask(task):
            return decide(task, answers)
        return decision

    def _is_asked(self, task: Task) -> bool:
        """Whether a lead was asked already, before there was a budget or a person for one more."""
        question = adjudication_id(task)
        return question in self._stores.tasks.find([question])

    def adjudication(self, tasks: Sequence[Task], answers: Answers) -> None:
        """Fold what a lead decided, if that lead may."""
        parents = self._stores.tasks.find([_parent(task) for task in tasks])
        votes = self._stores.annotations.current([p for t in tasks if answers.get(t.task_id) for p in [_parent(t)]])
        before = self._before([parents[task_id] for task_id in votes])
        for task in tasks:
            blind = parents[_parent(task)]
            if blind.state in (TaskState.SETTLED, TaskState.WITHDRAWN):
                self._stores.tasks.set_state([task.task_id], blind.state)  # nothing is left to decide
            elif answers.get(task.task_id):
                self._decide(task, blind, answers[task.task_id], votes[blind.task_id], before.get(blind.task_id))
            else:
                self.report.waiting += 1

    def review(self, tasks: Sequence[Task], answers: Answers) -> None:
        """Hold the second lead's answer against the first one's."""
        questions = self._stores.tasks.find([_parent(task) for task in tasks])
        blinds = self._stores.tasks.find([_parent(question) for question in questions.values()])
        for task in tasks:
            blind = blinds[_parent(questions[_parent(task)])]
            finals = self._stores.golden.adjudications(blind.task_id)
            if blind.state is TaskState.WITHDRAWN or (finals and not finals[-1].adjudicator):
                self._stores.tasks.set_state([task.task_id], TaskState.WITHDRAWN)  # nothing is left to compare with
            elif finals and answers.get(task.task_id):
                self._review(task, blind, finals[-1], answers[task.task_id])
            else:
                self.report.waiting += 1

    def _review(self, task: Task, blind: Task, first: Adjudication, answers: Sequence[Annotation]) -> None:
        events = self._stores.annotations.events(blind.task_id)
        if barred := self._barred(blind):
            answers = fresh(answers, barred)[0]
        settlement = second_verdict(task, first, answers, events, _now(), self._leads)
        self.report.refusals.extend(settlement.refusals)
        second = settlement.adjudication
        if second is None:
            self.report.waiting += 1
        elif differs(first, second):
            before = self._before([blind]).get(blind.task_id)
            self.report.contested += self._fold(task, contested(second), before, first.answer)
        else:
            self._stores.golden.confirm(second)
            self.report.settled += 1

    def _before(self, tasks: Sequence[Task]) -> dict[str, Earlier]:
        """By task id, what was known before: of those tasks that are second looks."""
        again = {task.task_id: (task.item_id, task.policy_id) for task in tasks if self._lane(task) == RELABEL}
        found = earlier(self._stores, set(again.values())) if again else {}
        versions = {task.task_id: task.policy_version for task in tasks}  # under another one it is a question like any
        return {
            task_id: found[pair]
            for task_id, pair in again.items()
            if pair in found and found[pair].final.policy_version == versions[task_id]
        }

    def _lane(self, task: Task) -> str:
        pick = self._round_picks(task.round_id).get((task.item_id, task.policy_id))
        return pick.lane if pick else ""

    def _decision(self, task: Task, answers: Sequence[Annotation], before: Earlier | None) -> Decision:
        barred = self._barred(task)
        if before is None:
            return self._apart(task, answers, barred) if barred else self._first(task, answers)
        known = judges(self._stores, before) | barred
        counted, refused = fresh(answers, known)
        if refused and not counted:
            self.report.refusals += refused
            self._ask_once_more(task, 1 + len(known))
        return decide_again(counted, before)

    def _apart(self, task: Task, answers: Sequence[Annotation], barred: frozenset[str]) -> Decision:
        """Without the answers of those who decided about the item in production. Where their answers have used up what
        a shared project asks for, it is asked once more, of enough people."""
        counted, refused = fresh(answers, barred)
        self.report.refusals += refused
        wanted = int(str(self._round(task.round_id).plan["overlap"])) + task.extra
        if len(counted) < wanted <= len(counted) + len(refused):
            self._ask_once_more(task, wanted + len(barred))
        return self._first(replace(task, overlap=min(task.overlap, wanted)), counted)

    def _barred(self, task: Task) -> frozenset[str]:
        """Who may not answer, since they decided about the item in production: of daily QA's tasks."""
        if task.round_id not in self._deciders:
            is_qa = purpose(self._round(task.round_id)) == DAILY_QA
            self._deciders[task.round_id] = self._stores.decisions.barred(task.round_id) if is_qa else {}
        return self._deciders[task.round_id].get((task.item_id, task.policy_id), frozenset())

    def _ask_once_more(self, task: Task, people: int) -> None:
        """Label Studio has closed a task that one person was asked; one for enough people stays open there."""
        if task.overlap < people:
            self._stores.tasks.add([once_more(task, people, _now())])
            self._stores.tasks.set_state([task.task_id], TaskState.WITHDRAWN, WITHDRAWN)

    def _decide(
        self,
        question: Task,
        blind: Task,
        answers: Sequence[Annotation],
        votes: Sequence[Annotation],
        before: Earlier | None,
    ) -> None:
        """A lead may decide a second time, but whoever answered either copy may not."""
        events = self._stores.annotations.events(blind.task_id)
        barred = self._barred(blind)
        votes = fresh(votes, barred)[0] if barred else votes
        if before is not None:
            votes = [*before.answers, *fresh(votes, judges(self._stores, before))[0]]
            for final in before.finals:
                events = [*events, *self._stores.annotations.events(final.task_id)]
        settlement = settle(blind, answers, votes, events, _now(), self._leads, barred)
        self.report.refusals.extend(settlement.refusals)
        if settlement.adjudication is None:
            self.report.waiting += 1
        else:
            if is_reviewed(question, self._desk.review_share):  # first: a killed process must not skip it
                self._stores.tasks.add([review_task(question, votes, _now())])
            self._fold(blind, settlement.adjudication, before)

    def _fold(self, task: Task, adjudication: Adjudication, before: Earlier | None, keep: Answer | None = None) -> bool:
        """A second look changes an item's label, not the lane and the probability by which the item came."""
        if self._is_outdated(task):
            self._stores.golden.confirm(adjudication)
            self.report.settled += 1
            return True
        came = self._came(task) if before is None else before.finals[0].round_id
        pick = self._round_picks(came).get((task.item_id, task.policy_id))
        self._groups = groups = self._groups or self._read_groups()
        self._read_ahead(groups)
        try:
            written = fold(
                self._stores.golden, self._items, groups, adjudication, task, pick, _now(), keep, self._read_media
            )
        except StoreError:
            raise
        except LabelingError as error:
            self._groups = None  # it may have merged groups in the ledger before it stopped: read them anew
            self.report.problems.append(Problem(task.task_id, str(error)))
            return False
        self.report.settled += 1
        if written is not None and task.policy_id in self._held:
            self._held[task.policy_id][task.item_id] = written.policy_version
        if written is not None and written.state is GoldState.ACTIVE:
            self.report.golden += 1
        return True

    def _read_ahead(self, groups: Groups) -> None:
        """What is known of the items that come with the first that is folded, read at once."""
        if self._ahead is not None and self._ahead[0] is groups and self._ahead[1] is self.coming:
            return
        self._ahead = (groups, self.coming)
        coming = {task.item_id: Subject(task.item_id, task.text, task.content_hash) for task in self.coming}
        self._items = ReadAhead(self._lake, list(coming))
        with suppress(UnknownItem):  # erased while it was read: each is read by itself, and that one says so
            groups.read_ahead(list(coming.values()))

    def _is_outdated(self, task: Task) -> bool:
        """Whether the answer is kept as what people said under an older policy version, and labels nothing."""
        if task.policy_version == self._versions.get(task.policy_id, task.policy_version):
            return False
        if is_old_side(self._round(task.round_id)):
            return True
        held = self._labelled(task.policy_id).get(task.item_id, task.policy_version)
        return parts(held) > parts(task.policy_version)

    def _labelled(self, policy_id: str) -> dict[str, str]:
        """By item, the policy version that its golden label was given under."""
        if policy_id not in self._held:
            rows = self._stores.golden.items(policy_id=policy_id)
            self._held[policy_id] = {row.item_id: row.policy_version for row in rows}
        return self._held[policy_id]

    def _came(self, task: Task) -> str:
        """The round whose pick says how the item came: where a change of policy asks again, the first that was decided
        about the item."""
        if not purpose(self._round(task.round_id)):
            return task.round_id
        return self._first_rounds.get((task.item_id, task.policy_id), task.round_id)

    @cached_property
    def _first_rounds(self) -> dict[tuple[str, str], str]:
        finals = self._stores.golden.adjudications()
        return {(final.item_id, final.policy_id): final.round_id for final in reversed(finals)}

    @cached_property
    def _versions(self) -> dict[str, str]:
        """The newest published version of each policy."""
        return {p: history[-1].version for p, history in by_policy(self._stores.policies.all()).items()}

    def _round(self, round_id: str) -> Round:
        if round_id not in self._rounds:
            self._rounds[round_id] = self._stores.rounds.get(round_id)
        return self._rounds[round_id]

    def _round_picks(self, round_id: str) -> dict[tuple[str, str], PickRow]:
        if round_id not in self._picks:
            rows = self._stores.rounds.picks(round_id)
            self._picks[round_id] = {(row.item_id, row.policy_id): row for row in rows}
        return self._picks[round_id]


def _parent(task: Task) -> str:
    if task.parent_task_id is None:
        raise ValueError(f"adjudication task {task.task_id} names no blind task")
    return task.parent_task_id


def _now() -> datetime:
    return datetime.now(UTC)
