"""Scoring that is spread over many workers: what a worker does with a shard, and what the one foreman does with it.

A worker reads a shard, scores it and writes its rows as fragments of the lake's groups; the foreman commits them,
registers the items where a ledger goes with the lake, and keeps that the shard is done. Whoever is killed, and
whenever, the next run goes on: a shard that is not kept as done is scored again, and rows that are there already are
known by their ids. Which machinery carries shards to workers is the ``Engine``'s business.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import LabelingError, ShardsLeft
from labeling.ingest import MAX_PROBLEMS, one_writer
from labeling.items import COLUMNS, Problem, parse_row
from labeling.readers import ColumnMap, Row
from labeling.records import Item
from labeling.scorebook import (
    FAILURES,
    NOTES,
    SCORES,
    LakeScorer,
    failure_group,
    keep,
    score_group,
    whole,
)
from labeling.sources import Shard, read_shard
from labeling.store.groups import KEY, column_table, item_table
from labeling.store.interfaces import ITEMS, ItemRegistry
from labeling.store.sink import LanceSink, Written
from scoring.base import Scores
from scoring.errors import DeviceError, ScoringError

ATTEMPTS = 3  # runs of the engine in a row that finish no shard
TOLD = 5  # bad rows that a shard's receipt tells in full
ADOPT_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """What is the same for every shard of a run. ``own``: the source is the sink's own items, so only those that this
    scorer has not scored are, and no item is written."""

    sink: str
    scorer_version: str
    columns: dict[str, str | None]
    max_text_chars: int
    policies: tuple[str, ...]
    own: bool = False

    @property
    def run(self) -> str:
        """Names the run: shards done under the same scorer and the same reading of rows are not done again."""
        reading = json.dumps([sorted(self.columns.items()), self.max_text_chars])
        return f"{self.scorer_version}-{sha256(reading.encode()).hexdigest()[:8]}"

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        raw = json.loads(text)
        return cls(**{**raw, "policies": tuple(raw["policies"])})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a worker did with a shard: ``read`` = ``scored`` + ``failed`` + ``refused`` + ``skipped`` rows.

    ``refused``: rows that are no item, the first of them told in ``problems``; ``skipped``: the same row again in this
    shard, or an item that is scored already. ``error`` is why the shard could not be done at all, else empty.
    """

    shard: str
    read: int = 0
    scored: int = 0
    failed: int = 0
    refused: int = 0
    skipped: int = 0
    problems: tuple[str, ...] = ()
    written: tuple[Written, ...] = ()
    error: str = ""
    worker_pid: int = 0

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        raw = json.loads(text)
        written = tuple(Written(w["group"], w["rows"], tuple(w["fragments"])) for w in raw["written"])
        return cls(**{**raw, "problems": tuple(raw["problems"]), "written": written})


Engine = Callable[[Sequence[Shard]], Iterator[Receipt]]  # any order; raises ShardsLeft when its workers died


class ShardWorker:
    """Scores shards, one at a time. ``build`` makes the scorer when the first shard comes; it must be the one that the
    run is for, because a machine with other model files would mix two models' scores."""

    def __init__(self, order: Order, build: Callable[[], LakeScorer]) -> None:
        self._order, self._build = order, build
        self._scorer: LakeScorer | None = None
        self._sink = LanceSink(order.sink)
        self._scored: pa.Array | None = None

    def __call__(self, shard: Shard) -> Receipt:
        """The receipt says what is wrong with the shard or the model. Raises DeviceError: a process whose accelerator
        broke can score nothing any more, and a new one must take its place."""
        try:
            return self._run(shard)
        except DeviceError:
            raise
        except (LabelingError, ScoringError) as error:
            return Receipt(shard.key, error=str(error), worker_pid=os.getpid())

    def _run(self, shard: Shard) -> Receipt:
        scorer = self._ready()
        rows = _Rows(self._order)
        rows.take(shard)
        items = self._waiting(list(rows.items.values()), scorer)
        tables = self._tables(items, scorer) if items else {}
        failed = tables[failure_group(scorer)].num_rows if failure_group(scorer) in tables else 0
        return Receipt(
            shard.key,
            read=rows.read,
            scored=len(items) - failed,
            failed=failed,
            refused=rows.refused,
            skipped=rows.read - rows.refused - len(items),
            problems=tuple(rows.problems),
            written=tuple(self._sink.write(group, table) for group, table in tables.items() if table.num_rows),
            worker_pid=os.getpid(),
        )

    def _tables(self, items: list[Item], scorer: LakeScorer) -> dict[str, pa.Table]:
        scores = whole(scorer.score(_ids(items), [item.text for item in items]), _ids(items))
        tables = _score_tables(scorer, scores)
        return tables if self._order.own else {ITEMS: item_table(items), **tables}

    def _ready(self) -> LakeScorer:
        if self._scorer is None:
            made = self._build()
            if made.version != self._order.scorer_version:
                raise ShardsLeft(
                    f"a worker's scorer is {made.version}, the run is for {self._order.scorer_version}: give every "
                    f"machine the same model files and settings"
                )
            self._scorer = made
        return self._scorer

    def _waiting(self, items: list[Item], scorer: LakeScorer) -> list[Item]:
        """Those without an outcome; all of them, unless the source is the sink itself."""
        if not self._order.own:
            return items
        if self._scored is None:
            done = [*self._sink.ids(score_group(scorer)), *self._sink.ids(failure_group(scorer))]
            self._scored = pa.array(done, pa.string())
        there = pc.is_in(pa.array(_ids(items), pa.string()), value_set=self._scored).to_pylist()
        return [item for item, done in zip(items, there, strict=True) if not done]


@dataclass
class _Rows:
    """The items of one shard, each once, and what was wrong with the other rows."""

    order: Order
    read: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)

    def take(self, shard: Shard) -> None:
        for row in read_shard(shard, self.order.columns):
            self.read += 1
            problems = [row] if isinstance(row, Problem) else self._take(row)
            if problems:
                self.refused += 1
                self.problems += [f"{shard.url}: {problems[0]}"][: TOLD - len(self.problems)]

    def _take(self, row: Row) -> list[Problem]:
        known = {name: value for name, value in row.values.items() if name in COLUMNS}
        if not known.get("media"):
            known.pop("media", None)  # a lake has "" there
        made = parse_row(known, row.number, self.order.max_text_chars, self.order.policies)
        if not isinstance(made, Item):
            return made
        if made.media:
            told = "an image or a video is scored by the engine lake only: ingest it, and run goldfold score"
            return [] if self.order.own else [Problem(row.number, "media", told)]
        first = self.items.setdefault(made.item_id, made)
        if first.content_hash == made.content_hash:
            return []
        told = f"{made.external_id!a} comes twice in this shard, with other content"
        return [Problem(row.number, "external_id", told)]


def _ids(items: Sequence[Item]) -> list[str]:
    return [item.item_id for item in items]


def _score_tables(scorer: LakeScorer, scores: Scores) -> dict[str, pa.Table]:
    """The lake's groups for these scores, as ``keep`` would write them."""
    made: dict[str, pa.Table] = {}

    def add(group: str, ids: Sequence[str], columns: Mapping[str, pa.Array]) -> None:
        made[group] = column_table(group, ids, columns)

    keep(add, scorer, scores, embeddings=True)
    return dict(sorted(made.items()))


def _turn(written: Written) -> int:
    return 0 if written.group == ITEMS else 1 if written.group.startswith(NOTES) else 2


@dataclass(slots=True)
class BulkReport:
    """What a run did. Of its ``shards``, ``done_before`` were done by an earlier run; the rest is about this one.

    ``added``: items new to the lake; ``scored`` and ``failed``: rows added to the scorer's groups; ``changed``: rows
    that give a known external id other content, which is not scored; ``stopped``: items that somebody stopped for
    legal reasons, which leave the lake again. ``refused`` and ``skipped`` as in ``Receipt``.
    """

    scorer: str
    shards: int
    done_before: int = 0
    done: int = 0
    read: int = 0
    added: int = 0
    scored: int = 0
    failed: int = 0
    refused: int = 0
    skipped: int = 0
    changed: int = 0
    stopped: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Register:
    """The ledger that goes with the lake, and the lock file that ingest takes on this machine."""

    registry: ItemRegistry
    lock_path: Path

    def writing(self) -> AbstractContextManager[None]:
        return one_writer(self.lock_path)


BulkProgress = Callable[[BulkReport], None]


class Foreman:
    """Carries one run to its end; the only one that commits to the sink while it runs."""

    def __init__(self, sink: LanceSink, order: Order, register: Register | None = None) -> None:
        self._sink, self._order, self._register = sink, order, register

    def run(self, shards: Sequence[Shard], engine: Engine, progress: BulkProgress | None = None) -> BulkReport:
        """Score every shard that is not done. Raises ShardsLeft, with the reasons, when some could not be; what was
        done stays done."""
        if self._register is not None:
            adopt(self._sink, self._register)
        done = self._sink.finished(self._order.run)
        left = {shard.key: shard for shard in shards if shard.key not in done}
        report = BulkReport(self._order.scorer_version, len(shards), len(shards) - len(left))
        broken = self._exhaust(left, engine, report, progress or (lambda _report: None))
        if broken:
            some = next(iter(broken.values()))
            raise ShardsLeft(
                f"{len(broken)} of {len(shards)} shards are left, the others are done and stay so: {some}; mend it "
                f"and run the same command again",
                tuple(broken.values()),
            )
        return report

    def _exhaust(
        self, left: dict[str, Shard], engine: Engine, report: BulkReport, progress: BulkProgress
    ) -> dict[str, str]:
        """Take receipts until no shard is left or nothing helps; the shards that are left, and why."""
        broken: dict[str, str] = {}
        idle = 0
        while left and idle < ATTEMPTS:
            before, lost = len(left), "the workers ended without it"
            try:
                for receipt in engine(list(left.values())):
                    shard = left.pop(receipt.shard, None)
                    if shard is not None and receipt.error:
                        broken[shard.key] = f"{shard.name}: {receipt.error}"
                    elif shard is not None:
                        self._settle(shard, receipt, report)
                        progress(report)
            except ShardsLeft as error:
                lost = str(error)
            idle = 0 if len(left) < before else idle + 1
        return broken | {key: f"{shard.name}: {lost}" for key, shard in left.items()}

    def _settle(self, shard: Shard, receipt: Receipt, report: BulkReport) -> None:
        """Items first, since nothing is scored that the lake does not know, then notes, since a kept embedding without
        its note would be taken for the whole text. Each step may be done again."""
        changed: tuple[str, ...] = ()
        for written in sorted(receipt.written, key=_turn):
            if written.group == ITEMS:
                changed = self._commit_items(written, report)
            else:
                added = self._sink.commit(written, changed)
                report.scored += added if written.group.startswith(SCORES) else 0
                report.failed += added if written.group.startswith(FAILURES) else 0
        told = {name: value for name, value in asdict(receipt).items() if name not in ("written", "shard", "error")}
        self._sink.finish(self._order.run, shard.key, {**told, "shard": asdict(shard), "changed": len(changed)})
        report.done += 1
        report.read += receipt.read
        report.refused += receipt.refused
        report.skipped += receipt.skipped
        report.problems += receipt.problems[: max(0, MAX_PROBLEMS - len(report.problems))]

    def _commit_items(self, written: Written, report: BulkReport) -> tuple[str, ...]:
        with nullcontext() if self._register is None else self._register.writing():
            committed = self._sink.commit_items(written)
            stopped: tuple[str, ...] = ()
            if self._register is not None:
                stopped = _take_in(self._sink, self._register.registry, committed.items, committed.version)
        report.added += committed.added - len(stopped)
        report.stopped += len(stopped)
        report.changed += len(committed.changed)
        return (*committed.changed, *stopped)


def adopt(lake: LanceSink, register: Register) -> int:
    """Register the lake's items that the ledger does not know, such as those that were scored elsewhere; how many.
    Without it the next ingest would take them for the rest of an ingest that was killed, and sweep them."""
    adopted = 0
    with register.writing():
        version = lake.snapshot()
        if version <= register.registry.last_lake_version():
            return 0
        for batch in lake.scan(["external_id", "content_hash"], batch_rows=ADOPT_ROWS):
            unknown = set(register.registry.unknown_ids(batch.column(KEY).to_pylist()))
            items = [Item(text="", **row) for row in batch.to_pylist() if row[KEY] in unknown]
            adopted += len(items) - len(_take_in(lake, register.registry, items, version))
    return adopted


def _take_in(lake: LanceSink, registry: ItemRegistry, items: Sequence[Item], version: int) -> tuple[str, ...]:
    """Register items that the lake holds; those that were stopped for legal reasons leave it again, and are told."""
    named, hashes = registry.stopped([i.external_id for i in items], [i.content_hash for i in items])
    stopped = tuple(i.item_id for i in items if i.external_id in named or i.content_hash in hashes)
    registry.register([item for item in items if item.item_id not in set(stopped)], version)
    if stopped:
        lake.delete(stopped)
    return stopped


def order_of(
    scorer: LakeScorer, sink: str, columns: ColumnMap, max_text_chars: int, policies: Sequence[str], *, own: bool
) -> Order:
    """The order for a run of ``scorer``."""
    return Order(sink, scorer.version, dict(columns), max_text_chars, tuple(sorted(policies)), own)
