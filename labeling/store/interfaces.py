"""What the rest of Goldfold may ask of its two stores.

``Lake``: bulk columns by item id (text, embeddings, scores). ``Ledger``: everything small that must be exact.
Each repository of the ledger is its own protocol, so that a function can ask for just the part it needs.
All writes are idempotent under the stated identity and run in one transaction each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from labeling.floor import Floor, Handout
from labeling.golden_records import Erasure, Erratum, GoldEvent, GoldMove, HandedOut, Hold, Notice
from labeling.insights.trend_records import Trends
from labeling.mirror.records import Mirrors
from labeling.model_records import GateRow, Model, ModelEvent, ModelState, SealedQuery
from labeling.policy_proposals import PolicyProposals
from labeling.policy_versions import PolicyVersion
from labeling.records import (
    Adjudication,
    Annotation,
    AnnotationEvent,
    ApiKey,
    GoldAction,
    GoldenItem,
    GoldenVersion,
    Item,
    LegalStop,
    Partition,
    Person,
    PickRow,
    RegisteredItem,
    Removal,
    Round,
    RoundState,
    StudioProject,
    Task,
    TaskKind,
    TaskState,
    Unsent,
)
from labeling.store.annotator_interface import Looks, Objections
from labeling.store.audit_interface import Audit
from labeling.store.cause_interface import Causes
from labeling.store.decision_interface import Decisions
from labeling.store.golden_interface import GoldenStreams
from labeling.store.lookup_interface import ItemSearch, OpenQuestions
from labeling.store.session_interface import Sessions
from labeling.store.signal_interface import Signals
from labeling.store.weekly_interface import WeeklyPacks

ITEMS = "items"  # the lake's first column group; the others are "embeddings-<encoder>" and "scores-<scorer>"


class Gap(Protocol):
    """Rows of a column group that lack something, as they were when the gap was asked for: take them in chunks, and add
    what they lack. One thread may take while another adds.

    The plan ends when the lake is compacted or rows are deleted; who lacks what is then to be asked anew.
    """

    def __len__(self) -> int:
        """Rows not taken yet."""

    def take(self, columns: Sequence[str], rows: int, max_bytes: int) -> pa.Table:
        """The next rows, item_id first: at most ``rows`` of them, fewer when they would hold more than about
        ``max_bytes``, none when there are no more. May raise PlanOutdated."""

    def add(self, group: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> None:
        """As ``Lake.add_columns`` for rows that were taken here, each once, without a look at all ids of the group.
        Raises PlanOutdated and adds nothing when a row may have been deleted since."""

    def is_outdated(self) -> bool:
        """Has the plan ended?"""


class Lake(Protocol):
    """Bulk columns by item id, in column groups. Append-only but for ``delete``; each append is one commit."""

    def append(self, items: Sequence[Item]) -> int:
        """Append items to the group ``items``; return the lake version that holds them. Items already there are
        skipped; raises DuplicateItem when one is there with other content."""

    def add_columns(self, group: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> int:
        """Append rows (item_id + columns) to a column group, creating it; ids already there are skipped."""

    def groups(self) -> list[str]:
        """Names of the column groups there are."""

    def columns(self, group: str) -> list[str]:
        """Names of a group's columns beside item_id; empty when the group does not exist."""

    def ids(self, group: str = ITEMS) -> list[str]:
        """Every item id of a group, sorted; empty when the group does not exist."""

    def missing(self, group: str) -> list[str]:
        """Ids in ``items`` that have no row in ``group``, sorted."""

    def gap(
        self,
        group: str,
        *,
        within: Sequence[str] = (),
        without: Sequence[str] = (),
        where: Mapping[str, str] | None = None,
    ) -> Gap:
        """The rows of ``group`` whose item has a row in each group of ``within`` and in none of ``without``, and whose
        columns hold what ``where`` says; none when the group does not exist. Memory grows by a bit a row."""

    def take(self, item_ids: Sequence[str], columns: Sequence[str], group: str = ITEMS) -> pa.Table:
        """Rows in the order asked, with item_id first. Raises UnknownItem naming ids that are not there."""

    def scan(self, columns: Sequence[str], group: str = ITEMS, batch_rows: int = 8192) -> Iterator[pa.RecordBatch]:
        """Stream a group, item_id first, in no promised order."""

    def count(self, group: str = ITEMS) -> int:
        """Rows of a group."""

    def snapshot(self) -> int:
        """The version of ``items`` now (0: empty)."""

    def delete(self, item_ids: Sequence[str]) -> None:
        """Remove rows from every group (stops, orphans)."""

    def erase(self, item_ids: Sequence[str]) -> None:
        """Remove rows from every group, and every older version of the groups, which hold them still. A reader of an
        older version has to ask anew."""

    def compact(self) -> None:
        """Merge small fragments and drop old ones; readers are not disturbed."""


class ItemRegistry(ItemSearch, Protocol):
    def known(self, external_ids: Sequence[str]) -> dict[str, RegisteredItem]:
        """Those of ``external_ids`` that are registered, by external id."""

    def register(self, items: Sequence[Item], lake_version: int) -> None:
        """Add items; raises DuplicateItem if an external id is there with other content. Same content: no-op."""

    def unknown_ids(self, item_ids: Sequence[str]) -> list[str]:
        """Those of ``item_ids`` that the ledger does not know (orphans of the lake)."""

    def ids(self, lake_version: int | None = None, modality: str | None = None) -> list[str]:
        """Every registered item id, sorted; with ``lake_version`` only those registered at or before it, with
        ``modality`` only those of that kind."""

    def by_id(self, item_ids: Sequence[str]) -> dict[str, RegisteredItem]:
        """Those of ``item_ids`` that are registered, by item id."""

    def named(self, name: str) -> RegisteredItem:
        """The item with this external id, or else this item id, also one whose content is gone. Raises NotFound."""

    def copies(self, content_hash: str) -> list[RegisteredItem]:
        """Every item of that content."""

    def last_lake_version(self) -> int:
        """The highest lake version any registered item names (0: none)."""

    def count(self) -> int: ...

    def stopped(self, external_ids: Sequence[str], content_hashes: Sequence[str]) -> tuple[set[str], set[str]]:
        """Those of each that belong to content stopped for legal reasons, or to an erased item: they never become
        items again."""


class Stops(Protocol):
    """Items that somebody stopped for legal reasons. ``Annotations.append`` makes the stops; here they are followed."""

    def all(self, *, lifted: bool = True) -> list[LegalStop]:
        """Every stub, or those only that were not ``lifted``."""

    def unpurged(self) -> list[str]:
        """Stopped items whose content the lake may still hold, sorted."""

    def mark_purged(self, item_ids: Sequence[str]) -> None: ...
    def lift(self, external_id: str, actor: str, reason: str) -> list[LegalStop]:
        """Undo the stop of an item and of its copies, with an audit event each; they may be brought in anew. Raises
        InvalidInput without a reason, NotFound when it is not stopped, Conflict before its content is removed."""

    def removals(self) -> list[Removal]:
        """Tasks that must not stay in Label Studio, by project."""

    def removed(self, removals: Sequence[Removal]) -> None:
        """Those are gone there for good; one that was asked for anew meanwhile stays."""


class Rounds(Protocol):
    def create(self, round_: Round) -> Round:
        """Insert, or return the round already there under that id (its plan must be equal, else Conflict)."""

    def get(self, round_id: str) -> Round: ...
    def all(self) -> list[Round]: ...
    def record_selection(
        self,
        round_id: str,
        picks: Sequence[PickRow],
        tasks: Sequence[Task],
        frame: Mapping[str, object],
        scorer_version: str,
        notes: Sequence[str],
    ) -> None:
        """Picks, tasks and state ``selected`` in one transaction; a no-op when already selected."""

    def set_state(self, round_id: str, state: RoundState, note: str = "") -> None: ...
    def picks(self, round_id: str | None = None) -> list[PickRow]: ...
    def pick_page(self, round_id: str, *, limit: int, offset: int = 0) -> list[PickRow]: ...
    def judged(self) -> set[tuple[str, str]]:
        """(item_id, policy_id) pairs that have a blind task which is not withdrawn: no round picks them again."""


class Tasks(OpenQuestions, Protocol):
    def get(self, task_id: str) -> Task: ...
    def find(self, task_ids: Sequence[str]) -> dict[str, Task]: ...
    def where(
        self,
        *,
        round_id: str | None = None,
        states: Sequence[TaskState] = (),
        kind: TaskKind | None = None,
        project_id: int | None = None,
        assignee: str | None = None,
        without: TaskKind | None = None,
        limit: int | None = None,
    ) -> list[Task]:
        """Sorted by task_id; ``without`` those of a kind."""

    def ids(self, *, states: Sequence[TaskState], project_id: int) -> list[str]:
        """The ids alone of a project's tasks in these states, sorted: a project may hold more tasks than memory."""

    def unsent(self, round_id: str | None = None) -> list[Unsent]:
        """What is queued, or on its way, by group, sorted; but assisted tasks whose blind twin has no end yet."""

    def next_unsent(self, groups: Sequence[Unsent], limit: int) -> list[Task]:
        """The first of these groups' tasks that are queued or on their way, by (position, task id)."""

    def add(self, tasks: Sequence[Task]) -> None:
        """Insert tasks whose id, and (parent_task_id, kind, assignee) when it has a parent, are not there yet."""

    def mark_sending(self, task_ids: Sequence[str], project_id: int) -> None: ...
    def mark_sent(self, studio_ids: Mapping[str, int]) -> None:
        """task_id -> Label Studio's task id."""

    def requeue(self, task_ids: Sequence[str]) -> None:
        """Back to ``queued``, its Label Studio ids forgotten (the task vanished there)."""

    def set_state(self, task_ids: Sequence[str], state: TaskState, error: str = "") -> None: ...
    def children(self, task_ids: Sequence[str], kind: TaskKind) -> list[Task]:
        """Tasks of a kind whose parent is among these, sorted by task_id."""

    def of_item(self, item_id: str) -> list[Task]:
        """Every task about an item, oldest first."""

    def widen(self, task_ids: Sequence[str]) -> None:
        """Ask one more person about each of these blind tasks that is ``sent``; others stay as they are."""

    def counts(self, round_id: str | None = None) -> dict[str, int]:
        """Tasks per state. Injections are not counted: a round does not wait for them, and nobody need see them."""


class Annotations(Protocol):
    """Asked about a blind task, each of these tells what was said to its copies as well."""

    def append(self, events: Sequence[AnnotationEvent]) -> int:
        """Append events not seen before (by identity); return how many were new."""

    def events(self, task_id: str) -> list[AnnotationEvent]: ...
    def history(self, task_ids: Sequence[str]) -> dict[str, list[AnnotationEvent]]:
        """The events of many tasks, as they were seen; every task asked for has a key."""

    def current(self, task_ids: Sequence[str]) -> dict[str, list[Annotation]]:
        """Live answers per task: the newest event of each annotation that is created or updated,
        and only the newest annotation of each annotator; sorted by annotation id. Every task asked for has a key."""

    def invalid(self, task_ids: Sequence[str]) -> list[AnnotationEvent]:
        """Annotations that stand and are no answer, by people who gave that task none that is: the newest event of
        each, sorted by (task asked for, annotation id)."""

    def strangers(self, task_ids: Sequence[str]) -> list[AnnotationEvent]:
        """Answers that do not count because the task, or the copy of it, was made for somebody else: the newest event
        of each, sorted likewise."""

    def count(self) -> int: ...


class Golden(GoldenStreams, Protocol):
    def fold(self, adjudication: Adjudication, item: GoldenItem) -> bool:
        """Append the adjudication, upsert the golden item (one row per item and policy), settle its tasks and
        write the audit event, in one transaction. False when that adjudication was already folded."""

    def confirm(self, adjudication: Adjudication) -> bool:
        """Append a second lead's adjudication that says what the first had said, and settle its task; the golden item
        stays as it is. False when it was appended before."""

    def regroup(self, group_ids: Sequence[str], into: str, partition: Partition) -> int:
        """Near-duplicate groups merge: every row of them, and of ``into``, belongs to ``into`` and its partition from
        now on. One transaction with the events of the rows that changed; how many did. Published versions stay."""

    def change(self, moves: Sequence[GoldMove]) -> list[GoldenItem]:
        """Move items between tiers and states, each with its event, all or none: the items as they are now. Raises
        NotFound, InvalidInput without a reason, Conflict for a move that is not allowed or an item relabelled since."""

    def events(self, item_id: str | None = None, *, after: int = 0, until: int | None = None) -> list[GoldEvent]:
        """Everything that happened to the golden set, or to one item, in order; only numbers above ``after`` and up to
        ``until``."""

    def chain(self) -> tuple[list[GoldEvent], tuple[int, str] | None, list[GoldenItem]]:
        """The events, the chain's head (number and hash; None: gone) and the golden items, at one moment."""

    def rows_of(self, name: str) -> list[GoldenItem]:
        """The golden items of the item with this external id, or else this item id, by policy."""

    def adjudications(self, task_id: str | None = None, *, item_id: str | None = None) -> list[Adjudication]: ...
    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]:
        """Sorted by (item_id, policy_id)."""

    def add_version(self, version: GoldenVersion, members: Iterable[GoldenItem]) -> None:
        """Insert an immutable version with a frozen copy of its rows; Conflict when the version exists, or a row of it
        is not active any more."""

    def versions(self, *, everything: bool = False) -> list[GoldenVersion]:
        """Those that are released, or all, oldest first."""

    def version(self, version: str) -> GoldenVersion: ...
    def decide(self, version: str, decision: GoldAction, actor: str, reason: str) -> GoldenVersion:
        """Approve or reject a proposed version. Raises NotFound, Conflict when it is not proposed, or when its author
        would approve it."""

    def add_erratum(self, erratum: Erratum) -> Erratum:
        """Say that a row of a released version is wrong; its time is the ledger's. Raises NotFound, InvalidInput."""

    def errata(self, version: str | None = None, item_id: str | None = None) -> list[Erratum]:
        """Oldest first."""

    def leaves(self, version: str) -> dict[tuple[str, str], str]:
        """(item, policy) -> the leaf hash (hex) that is left of an erased row of a version."""

    def memberships(self, item_id: str) -> list[tuple[str, GoldenItem]]:
        """The versions that hold an item, oldest first, with its rows there."""

    def members(self, version: str, *, unreleased: bool = False) -> list[GoldenItem]:
        """The rows as they were when the version was published, sorted by (item_id, policy_id). Raises Conflict for a
        version that is not released, but where ``unreleased`` ones are asked for."""


class Erasures(Protocol):
    """Items that are erased, or must not be, and who got what of them."""

    def hold(self, item: RegisteredItem, actor: str, reason: str) -> Hold: ...
    def release(self, item_id: str, actor: str, reason: str) -> list[Hold]:
        """Release every hold on an item. Raises NotFound when there is none, InvalidInput without a reason."""

    def holds(self, item_id: str | None = None) -> list[Hold]:
        """Those in force, oldest first."""

    def begin(self, item_id: str, actor: str, reason: str) -> Erasure:
        """Let everything go that the ledger holds of an item, leave the tombstone, and note whom to tell: one
        transaction. Again, it changes nothing. Raises NotFound, InvalidInput, Conflict under a hold."""

    def mark(self, erasure_id: str, step: str, *, last: bool) -> None:
        """A step outside the ledger is done; ``last``: so is everything."""

    def all(self) -> list[Erasure]:
        """Oldest first."""

    def places(self, item_id: str) -> list[tuple[str, str]]:
        """The versions that held an erased item, with the partition of its row there."""

    def derivation(self, version: str) -> tuple[int, int]:
        """The number of the newest derived manifest of a version, and how many of its leaves are erased; (0, 0)."""

    def derive(self, version: str, number: int, leaves: int, manifest_path: str) -> None: ...
    def hand_out(self, handed: HandedOut) -> None:
        """An export is about to be written."""

    def take_back(self, export_id: str) -> None:
        """It was not."""

    def exports(self) -> list[HandedOut]:
        """Oldest first."""

    def notices(self) -> list[Notice]:
        """Whom to tell of erasures, oldest erasure first."""

    def acknowledge(self, external_id: str, recipient: str, actor: str, note: str) -> list[Notice]:
        """A recipient has let an item go. Raises NotFound when nobody had to ask them."""

    def waiting(self, item_id: str) -> int:
        """Tasks of an item that are still to be deleted in Label Studio."""

    def scrub(self) -> None:
        """Rewrite the database, so that no free page or old row holds what was let go. Raises StoreError."""

    def remains(self) -> tuple[str, ...]:
        """Where the database's server may hold it all the same, and what ends that; a sentence each."""


class PolicyVersions(Protocol):
    """The policies' published versions; appended only."""

    @property
    def mark(self) -> int:
        """Rises with every version that is published."""

    def all(self) -> list[PolicyVersion]:
        """As they were published."""

    def first(self, versions: Sequence[PolicyVersion]) -> None:
        """Add the first versions of policies that have none yet; those that have one by now are left out."""

    def publish(self, versions: Sequence[PolicyVersion]) -> dict[str, int]:
        """Add versions of policies, and move the gold that they touch, in one transaction with an event for each golden
        item; how many items became ``stale`` and ``retired``. Conflict when a version is there already, or its parent
        is not the newest any more."""

    def restate(self) -> dict[str, int]:
        """Move gold that was folded in under an older version since; how many items became ``stale`` and
        ``retired``."""


class Models(Protocol):
    def add(self, model: Model) -> None:
        """Insert; the same model id again with the same version is a no-op, with another one a Conflict."""

    def get(self, model_id: str) -> Model: ...
    def all(self) -> list[Model]: ...
    def champion(self, modality: str = "text") -> Model | None: ...
    def set_metrics(self, model_id: str, metrics: Mapping[str, object]) -> None:
        """Each key given replaces that key; the others stay."""

    def move(self, model_id: str, state: ModelState, actor: str, reason: str = "") -> Model:
        """candidate to challenger, either to archived; a no-op where it is that already. Conflict for any other move.
        Each move is an event and a line of the audit, here and below."""

    def promote(
        self, model_id: str, actor: str, *, over: str | None, gate_id: str = "", reason: str = "", rescore: str = ""
    ) -> Model:
        """Make it champion and archive the one before, in one transaction; a no-op for the champion. ``over``: who is
        champion now, as the caller knows it; Conflict when it is another one, or the model is archived. ``rescore``:
        the id of the job that scores with it, owed from then on (``labeling.model_records.owed_rescore``); "": none."""

    def rollback(self, actor: str, reason: str = "", modality: str = "text", *, rescore: str = "") -> Model:
        """Archive the champion and bring back the one that it replaced, in one transaction. NothingToDo where there is
        none. ``rescore``: as ``promote`` has it."""

    def rescore_begun(self, model_id: str, job_id: str) -> None:
        """The job is known to those who run it, so it is owed no more; a no-op where another one is, or none."""

    def history(self, model_id: str | None = None) -> list[ModelEvent]:
        """Every move, or those of one model, oldest first."""


class Gates(Protocol):
    """Verdicts of the gate, a chain that only grows."""

    def append(self, make: Callable[[str], GateRow]) -> GateRow:
        """Append what ``make`` says of the newest row's hash ("": there is none), in one transaction."""

    def get(self, gate_id: str) -> GateRow:
        """Raises NotFound."""

    def all(self) -> list[GateRow]:
        """Oldest first."""


class SealedQueries(Protocol):
    """What the sealed partition was asked, and by whom; it only grows."""

    def answer(self, question_hash: str) -> dict[str, object] | None:
        """What the question was answered, None when it never was."""

    def add(self, query: SealedQuery, budget: int) -> bool:
        """Append; False when a first answer to that question is there already. Raises BudgetSpent where a first answer
        would be more than ``budget`` (as ``spent`` counts them), whatever races."""

    def check(self, family: str, golden_version: str, budget: int) -> None:
        """Raises BudgetSpent where a first answer would be more than ``budget``."""

    def spent(self, family: str, golden_version: str) -> int:
        """First answers to a family, asked of versions that share at least half of this version's sealed items."""

    def all(self, family: str | None = None) -> list[SealedQuery]:
        """Oldest first."""


class Projects(Protocol):
    def find(
        self,
        base_url: str,
        policy_id: str,
        policy_version: str,
        kind: TaskKind,
        assignee: str = "",
        modality: str = "text",
    ) -> StudioProject | None: ...
    def all(self) -> list[StudioProject]: ...
    def add(self, project: StudioProject) -> None: ...
    def set_watermark(self, base_url: str, project_id: int, watermark: datetime) -> None: ...
    def set_relinked(self, base_url: str, project_id: int, at: datetime) -> None: ...
    def forget(self, base_url: str, project_id: int) -> None:
        """Drop a project that was deleted in Label Studio; its unsettled tasks go back to ``queued``."""

    def on_screens(self) -> list[Unsent]:
        """By group, the tasks that ``forget_all`` would queue again."""

    def forget_all(self) -> int:
        """Drop every project, of every address: all screens are lost. How many tasks are queued again; copies in
        quarantine stay there, because others have theirs."""

    def lease(self, base_url: str, project_id: int, holder: str, seconds: float) -> bool:
        """Take or renew the one-writer lease of a project; False while somebody else holds it."""

    def release(self, base_url: str, project_id: int, holder: str) -> None: ...


class People(Protocol):
    """The roster."""

    def add(self, person: Person, actor: str) -> Person:
        """Insert with the next desk number and the audit event; Conflict when that address is there."""

    def get(self, email: str) -> Person:
        """Raises NotFound."""

    def all(self) -> list[Person]:
        """Everybody who ever was on it, by desk number."""

    def change(self, email: str, changes: Mapping[str, object], actor: str, action: str = "roster.change") -> Person:
        """Each field given replaces that field, with the audit event."""


class Desks(Looks, Protocol):
    """Who is asked what. One hand-out at a time, over all processes."""

    def assign(self, plan: Callable[[Floor], Handout], since: datetime, *, anchors: bool = False) -> Handout:
        """Take back the copies that nobody will answer, show ``plan`` the floor, and write what it says: one
        transaction. Questions that got a copy become ``sent``. ``since``: when today began. With ``anchors`` the floor
        has the golden items that may be injected."""

    def units_since(self, since: datetime) -> dict[str, float]:
        """Units of exposure by person (e-mail) of what they have answered or skipped since then, whatever the task."""


class Keys(Protocol):
    @property
    def revocations(self) -> int:
        """Rises with each call of ``revoke``; who remembers keys asks again when it has."""

    def add(self, key: ApiKey) -> None: ...
    def by_hash(self, key_hash: str) -> ApiKey | None:
        """A key that is not revoked."""

    def all(self) -> list[ApiKey]: ...
    def revoke(self, key_id: str) -> None: ...


class Executors(Protocol):
    """Heartbeats of the processes that run jobs."""

    def beat(self, executor_id: str) -> None: ...
    def dead(self, older_than_s: float) -> list[str]: ...
    def remove(self, executor_id: str) -> None: ...


class Ledger(Protocol):
    """All of it, for the composition root; everyone else asks for the part they need."""

    items: ItemRegistry
    stops: Stops
    rounds: Rounds
    tasks: Tasks
    annotations: Annotations
    golden: Golden
    policies: PolicyVersions
    proposals: PolicyProposals
    erasures: Erasures
    models: Models
    mirrors: Mirrors
    trends: Trends
    gates: Gates
    sealed: SealedQueries
    projects: Projects
    people: People
    desks: Desks
    decisions: Decisions
    causes: Causes
    weekly: WeeklyPacks
    signals: Signals
    objections: Objections
    keys: Keys
    sessions: Sessions
    executors: Executors
    audit: Audit

    def close(self) -> None: ...
