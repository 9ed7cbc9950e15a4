"""The bridge against a real Label Studio on PostgreSQL, behind a proxy that makes requests fail: what is pushed and
pulled a second, what is lost or doubled, how memory grows: ``python -m benchmarks.bridge --tasks N --annotations M``.

Tasks go through Goldfold's own push. Answers are copied, inside the server's database, from one that was given through
its API: no client could give 200,000 of them in an hour, and how they came plays no part for a pull.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import psycopg

from benchmarks._faults import FaultyProxy
from benchmarks.process import forget_peak, peak_mib
from benchmarks.row import Row
from configs.settings import PACKAGED_POLICIES
from labeling.errors import StudioError
from labeling.policies import read_policies
from labeling.records import (
    AnnotationEvent,
    Answer,
    Item,
    Outcome,
    Round,
    RoundState,
    StudioProject,
    Task,
    TaskKind,
    TaskState,
)
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from labeling.studio.pull import pull_project
from labeling.studio.push import push_tasks
from tests.postgres import running
from tests.studio_server import studio_venv

NAMES = ("bridge_push", "bridge_pull", "bridge_memory", "bridge_lost_or_doubled")
TASKS, ANNOTATIONS, FAULTS, RATE = 2000, 4000, 20, 0.2  # what make bench takes a few minutes for
POLICY = "hate_speech"
STEP = 500  # tasks pushed at once, as the jobs take them from the ledger
LATE_S = 1.0  # how long what stalls or comes late takes
WORK_S = 4.0  # and how long the server may work at a request that came late
DEFAULT_SETTLE_S = 130.0  # of the setting studio_settle_s
SEED = 7
KILL_AFTER_S = 0.7  # a push of STEP tasks takes some seconds


@dataclass(frozen=True, slots=True)
class Run:
    """What one run found. Seconds are wall time, faults included; MiB are the rise of the process' peak memory between
    a tenth of the tasks and all of them."""

    tasks: int
    annotations: int
    faults: int
    kills: int
    writer_kills: int
    pushed: int
    pulled: int
    lost: int
    doubled: int
    push_s: float
    pull_s: float
    push_mib: float
    pull_mib: float
    peak_mib: float


def measure(
    tasks: int, annotations: int, faults: int, late_s: float = LATE_S, kills: int = 0, writer_kills: int = 0
) -> Run:
    """Push ``tasks``, put ``annotations`` on them (a whole number each), and pull them; half of the ``faults`` are kept
    for the pull. ``kills``: how often Label Studio is killed with SIGKILL and started again while tasks are pushed;
    ``writer_kills``: how often whoever pushes is, and somebody else goes on."""
    with tempfile.TemporaryDirectory(prefix="goldfold-bridge-") as name, _server(Path(name)) as (server, database):
        url = f"sqlite:///{name}/ledger.db"
        ledger = open_ledger(url)
        try:
            with (
                FaultyProxy(server.base_url, rate=RATE, seed=SEED, late_s=late_s) as proxy,
                StudioClient(proxy.address, server.account.token, 300.0, settle_s=settle_of(late_s)) as client,
            ):
                run = _Bench(client, ledger, url, database, server, proxy)
                return run.measure(tasks, annotations, faults, kills, writer_kills)
        finally:
            ledger.close()


def settle_of(late_s: float) -> float:
    """How long the client waits for a request whose answer it never got. Were it shorter than a late request takes to
    come and to be worked at, its tasks would be sent twice; a long lateness gets the margin that the service has."""
    return late_s + (WORK_S if late_s <= LATE_S else DEFAULT_SETTLE_S - late_s)


@dataclass(frozen=True, slots=True)
class _Bench:
    """One run's parts."""

    client: StudioClient
    ledger: SqlLedger
    ledger_url: str
    database: str
    server: EmbeddedStudio
    proxy: FaultyProxy

    def measure(self, tasks: int, annotations: int, faults: int, kills: int, writer_kills: int) -> Run:
        policy = read_policies(PACKAGED_POLICIES)[POLICY]
        project = ensure_project(self.client, self.ledger.projects, policy, TaskKind.BLIND)
        _queue(self.ledger, project, tasks)
        peaks: dict[str, list[float]] = {"push": [], "pull": []}
        _say(f"pushing {tasks} tasks")
        self.proxy.left = faults - faults // 2
        push_s = self._push(project, tasks, peaks["push"], kills, writer_kills)
        self._say_faults()
        _annotate(self.client, self.ledger, self.database, project, max(1, annotations // tasks))
        _say(f"pulling {annotations} annotations")
        self.proxy.left += faults // 2
        watched = _Watched(self.ledger, max(1, annotations // 10), peaks["pull"])
        forget_peak()
        began = time.perf_counter()
        report = pull_project(self.client, watched, project, policy, full=True)
        pull_s = time.perf_counter() - began
        peaks["pull"].append(peak_mib())
        self._say_faults()
        rows, distinct = _there(self.database, project)
        events = self.ledger.annotations.count()
        return Run(
            tasks=tasks,
            annotations=annotations,
            faults=sum(self.proxy.happened.values()),
            kills=kills,
            writer_kills=writer_kills,
            pushed=len(self.ledger.tasks.ids(states=[TaskState.SENT], project_id=project.project_id)),
            pulled=report.created,
            lost=tasks - distinct + annotations - events,
            doubled=rows - distinct,
            push_s=push_s,
            pull_s=pull_s,
            push_mib=peaks["push"][-1] - peaks["push"][0],
            pull_mib=peaks["pull"][-1] - peaks["pull"][0],
            peak_mib=max(*peaks["push"], *peaks["pull"]),
        )

    def _push(self, project: StudioProject, tasks: int, peaks: list[float], kills: int, writer_kills: int) -> float:
        """Push everything; seconds. Server and writer are killed at even distances, each time amid a push."""
        began = time.perf_counter()
        batches, due, dying = 0, _spread(tasks, kills), _spread(tasks, writer_kills)
        forget_peak()
        while groups := self.ledger.tasks.unsent():
            if dying and batches >= dying[0]:
                dying.pop(0)
                self._push_and_die(project)
                batches += 1
                continue
            killer = self._kill_soon() if due and batches >= due[0] and due.pop(0) else None
            try:
                some = self.ledger.tasks.next_unsent(groups, STEP)
                push_tasks(self.client, self.ledger.tasks, self.ledger.projects, project, some, "bench")
            except StudioError as error:
                _say(f"goes on after {type(error).__name__}")
            if killer is not None:
                killer.join()
                self.server.start()
                self.proxy.base_url = self.server.base_url
            batches += 1
            if not peaks and batches * STEP >= tasks // 10:
                peaks.append(peak_mib())
        peaks.append(peak_mib())
        return time.perf_counter() - began

    def _kill_soon(self) -> threading.Timer:
        timer = threading.Timer(KILL_AFTER_S, self.server.kill)
        timer.start()
        return timer

    def _push_and_die(self, project: StudioProject) -> None:
        """Have another process push, and kill it amid that."""
        spawning = multiprocessing.get_context("spawn")
        begun = spawning.Event()
        given = (self.ledger_url, self.proxy.address, self.server.account.token, self.client.settle_s, begun)
        writer = spawning.Process(target=_push_apart, args=given, daemon=True)
        writer.start()
        begun.wait()
        time.sleep(KILL_AFTER_S)
        writer.kill()
        writer.join()
        on_way = self.ledger.tasks.ids(states=[TaskState.SENDING], project_id=project.project_id)
        _say(f"the writer was killed, with {len(on_way)} tasks on their way")

    def _say_faults(self) -> None:
        _say(", ".join(f"{kind} {times}" for kind, times in sorted(self.proxy.happened.items())) or "no faults")


def _spread(tasks: int, times: int) -> list[int]:
    """The batches, of ``STEP`` tasks, at which something happens that many times."""
    return [(tasks // STEP) * (k + 1) // (times + 1) for k in range(times)]


def _push_apart(ledger_url: str, address: str, token: str, settle_s: float, begun: Event) -> None:
    """Another writer, in a process of its own: it pushes until it is killed."""
    ledger = open_ledger(ledger_url)
    [project] = ledger.projects.all()
    with StudioClient(address, token, 300.0, settle_s=settle_s) as client:
        some = ledger.tasks.next_unsent(ledger.tasks.unsent(), STEP)
        begun.set()
        push_tasks(client, ledger.tasks, ledger.projects, project, some, "bench")
        threading.Event().wait()


class _Watched:
    """The ledger, which notes the peak memory when a tenth of the annotations is in."""

    def __init__(self, ledger: SqlLedger, tenth: int, peaks: list[float]) -> None:
        self.tasks, self.projects, self.annotations = ledger.tasks, ledger.projects, self
        self._inner, self._left, self._peaks = ledger.annotations, tenth, peaks
        self.history = ledger.annotations.history

    def append(self, events: Sequence[AnnotationEvent]) -> int:
        added = self._inner.append(events)
        self._left -= added
        if self._left <= 0 and not self._peaks:
            self._peaks.append(peak_mib())
        return added


def _queue(ledger: SqlLedger, project: StudioProject, count: int) -> None:
    now = datetime.now(UTC)
    ledger.rounds.create(Round("bench", RoundState.PLANNED, 7, {}, {}, "none", (), now, now))
    for start in range(0, count, 1000):
        some = range(start, min(start + 1000, count))
        texts = {n: f"post number {n}: " + " ".join(f"word{(n * k) % 997}" for k in range(1, 60)) for n in some}
        hashes = {n: hashlib.sha256(text.encode()).hexdigest() for n, text in texts.items()}
        ledger.items.register([Item(f"i{n}", f"x{n}", texts[n], hashes[n]) for n in some], 1)
        ledger.tasks.add([_task(project, n, texts[n], hashes[n], now) for n in some])


def _task(project: StudioProject, number: int, text: str, content_hash: str, now: datetime) -> Task:
    return Task(
        task_id=hashlib.sha256(f"bench {number}".encode()).hexdigest()[:32],
        kind=TaskKind.BLIND,
        round_id="bench",
        item_id=f"i{number}",
        policy_id=project.policy_id,
        policy_version=project.policy_version,
        text=text,
        content_hash=content_hash,
        overlap=2,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        parent_task_id=None,
        error="",
        created_at=now,
        updated_at=now,
    )


def _annotate(client: StudioClient, ledger: SqlLedger, database: str, project: StudioProject, each: int) -> None:
    """Answer one task through the API, and copy that answer onto the others until each has ``each``."""
    [first] = ledger.tasks.find([ledger.tasks.ids(states=[TaskState.SENT], project_id=project.project_id)[0]]).values()
    made = client.annotate(first.studio_task_id or 0, build_result(Answer(Outcome.ALLOWED)), 4.0)
    own = {
        "task_id": "t.id",
        "unique_id": "gen_random_uuid()",
        "created_at": "now()",
        "updated_at": "now()",
    }
    with psycopg.connect(database) as connection:
        query = "select column_name from information_schema.columns where table_name = 'task_completion'"
        names = [name for (name,) in connection.execute(query) if name != "id"]
        copied = ", ".join(own.get(name) or f"a.{name}" for name in names)
        values = f"insert into task_completion ({', '.join(names)}) select {copied} "
        source = (
            "from task t cross join generate_series(1, %s) n join task_completion a on a.id = %s "
            "where t.project_id = %s and not (t.id = a.task_id and n = 1)"
        )
        connection.execute((values + source).encode(), (each, made, project.project_id))
        connection.execute("update task set updated_at = now() where project_id = %s", (project.project_id,))


def _there(database: str, project: StudioProject) -> tuple[int, int]:
    """Tasks of the project in the server's database, and how many different ones."""
    query = "select count(*), count(distinct data->>'task_id') from task where project_id = %s"
    with psycopg.connect(database) as connection:
        row = connection.execute(query, (project.project_id,)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


@contextmanager
def _server(folder: Path) -> Iterator[tuple[EmbeddedStudio, str]]:
    """A Label Studio on a PostgreSQL of its own, and that database's address."""
    with running("pg_trgm") as postgres:
        postgres.run(_CREATE, "studio")
        given = {"DJANGO_DB": "default", "POSTGRE_HOST": str(postgres.folder), "POSTGRE_USER": "postgres"}
        with EmbeddedStudio(studio_venv(), folder / "studio", database={**given, "POSTGRE_NAME": "studio"}) as server:
            _say(f"Label Studio is up at {server.base_url}")
            yield server, f"host={postgres.folder} user=postgres dbname=studio"


_CREATE = psycopg.sql.SQL("CREATE DATABASE {}")


def rows() -> list[Row]:
    """The small run; nothing fair compares, since no other bridge survives these faults."""
    found = measure(TASKS, ANNOTATIONS, FAULTS)
    target = "flat: < 300 MiB whatever the number of tasks"
    return [
        Row("bridge_push", found.pushed / found.push_s, "tasks/s, faults included"),
        Row("bridge_pull", found.pulled / found.pull_s, "annotations/s, two a task"),
        Row(
            "bridge_memory", max(found.push_mib, found.pull_mib), "MiB from a tenth of the tasks to all", target=target
        ),
        Row("bridge_lost_or_doubled", found.lost + found.doubled, "tasks and annotations", target="0"),
    ]


def _say(what: str) -> None:
    print(f"{datetime.now(UTC):%T} {what}", file=sys.stderr, flush=True)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--tasks", type=int, default=100_000)
    given.add_argument("--annotations", type=int, default=200_000, help="a whole number of times --tasks")
    given.add_argument("--faults", type=int, default=200)
    given.add_argument("--late", type=float, default=LATE_S, help="seconds that stalls and late requests take")
    given.add_argument("--kills", type=int, default=2, help="how often Label Studio is killed while tasks are pushed")
    given.add_argument("--writer-kills", type=int, default=2, help="how often whoever pushes them is killed")
    asked = given.parse_args()
    found = measure(asked.tasks, asked.annotations, asked.faults, asked.late, asked.kills, asked.writer_kills)
    print(f"tasks pushed {found.pushed} of {found.tasks} in {found.push_s:.0f} s ({found.pushed / found.push_s:.0f}/s)")
    print(
        f"annotations pulled {found.pulled} of {found.annotations} in {found.pull_s:.0f} s "
        f"({found.pulled / found.pull_s:.0f}/s)"
    )
    print(
        f"faults {found.faults}, kills of the server {found.kills}, of the writer {found.writer_kills}, "
        f"lost {found.lost}, doubled {found.doubled}"
    )
    print(
        f"memory: from a tenth to all, push +{found.push_mib:.0f} MiB, pull +{found.pull_mib:.0f} MiB; "
        f"peak {found.peak_mib:.0f} MiB in all"
    )


if __name__ == "__main__":
    main()
