"""Erasure on a real ledger and lake, proved by looking for the text in every file that is left."""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from labeling.erasure import STEPS, Places, Standing, erase, finish_all, reach, standings
from labeling.errors import Conflict, InvalidInput, NotFound, StoreError
from labeling.exports import hand_out
from labeling.golden import manifest
from labeling.golden.audit import audit, check
from labeling.golden.diff import diff
from labeling.golden.enclosures import BYTES, FILES, Enclosing, places_in
from labeling.golden.export import FORMS
from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.ingest import ingest
from labeling.judging.answers import AnswerBook
from labeling.judging.prompts import READ, Said
from labeling.media import MediaReader
from labeling.records import GoldAction, GoldenItem, GoldState, Task, TaskState
from labeling.store.interfaces import ITEMS
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from tests.labeling.golden.desk import open_desk
from tests.labeling.golden.images import Album, drawn, label_image
from tests.labeling.shop import NOW, Shop, items, open_shop, yes
from tests.postgres import PostgresServer

WORDS = "sentence number {n} wants w{n} v{n}"


@dataclass
class Site:
    """A shop with three labelled items in one version, of which one is to go; exported and cached."""

    shop: Shop
    task: Task
    places: Places

    @property
    def ledger(self) -> SqlLedger:
        return self.shop.ledger

    def erase(self, reason: str = "asked by its author") -> Standing:
        return erase(self.ledger, self.shop.lake, self.places, self.task.item_id, "dpo", reason)

    def holding(self, *needles: str) -> list[str]:
        """The files that hold any of the words."""
        found = []
        for path in sorted(self.shop.folder.rglob("*")):
            if path.is_file():
                raw = path.read_bytes()
                found += [f"{path.name}: {needle[:20]}" for needle in needles if needle.encode() in raw]
        return found


def build(shop: Shop, folder: Path, more: Callable[[int], str] = lambda _: "") -> Site:
    shop.shares = Shares(train=1, calibration=0, dev=0, sealed=0)
    media = folder / "media"
    media.mkdir()
    made = [item for n in range(3) for item in items(range(n, n + 1), WORDS + more(n))]
    made = [replace(item, media=f"{item.external_id}.jpg") for item in made]
    for item in made:
        (media / item.media).write_bytes(b"pixels of " + item.external_id.encode())
    shop.ingest(made)
    shop.score()
    tasks = shop.send("r1", 3, policies=("harm",))
    for task in tasks:
        answer = replace(yes(), rationale=f"because of {task.text}")
        shop.answer(task, answer, answer)
    shop.settle()
    publish(shop.ledger.golden, folder / "golden", NOW, author="lead")
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "cache" / "near-duplicates.npz").write_bytes(b"hashes")
    book = AnswerBook(folder / "answers.db")
    for task in tasks:
        book.add("prompt", task.item_id, 0, Said(READ, "violates"))
    book.close()
    return Site(shop, tasks[0], Places(folder / "cache", folder / "golden", media, folder / "answers.db"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    shop = open_shop(tmp_path)
    yield build(shop, tmp_path)
    shop.ledger.close()


def export(site: Site, recipient: str = "", form: str = "jsonl", name: str = "out") -> Path:
    folder = site.shop.folder / "exports" / name
    hand_out(site.ledger, "1.0.0", folder, actor="cli", recipient=recipient, form=form)
    return folder


def test_nothing_of_the_item_is_left_in_any_file(site: Site) -> None:
    folder = export(site, "team-b@example.org")
    kept = folder / "notes.txt"
    kept.write_text("mine")
    row = site.ledger.golden.rows_of(site.task.item_id)[0]
    gone = (site.task.text, row.content_hash, row.salt, f"pixels of {row.external_id}")
    assert len({found.split(": ")[1] for found in site.holding(*gone)}) == len(gone)
    done = site.erase()
    assert (done.left, done.studio, done.erasure.finished_at is not None) == ((), 1, True)
    assert site.holding(*gone) == []
    assert site.holding("sentence number") != []  # others say much the same, and stay
    assert kept.read_text() == "mine"
    assert not (folder / "data").exists()
    assert list(site.places.cache.iterdir()) == []
    answers = (site.shop.folder / "answers.db").read_bytes()
    assert site.task.item_id.encode() not in answers
    assert b"it-0000" in answers  # of the others
    for group in (ITEMS, *site.shop.lake.groups()):
        assert site.task.item_id not in site.shop.lake.ids(group)


def test_the_ledger_keeps_a_tombstone_and_no_content(site: Site) -> None:
    site.erase()
    (made,) = site.ledger.erasures.all()
    assert (made.item_id, made.actor, made.reason) == (site.task.item_id, "dpo", "asked by its author")
    task = site.ledger.tasks.get(site.task.task_id)
    assert (task.text, task.content_hash, task.state) == ("", "", TaskState.SETTLED)
    row = site.ledger.golden.rows_of(site.task.item_id)[0]
    assert (row.state, row.text, row.content_hash, row.salt, row.votes) == (GoldState.ERASED, "", "", "", {})
    events = site.ledger.golden.events(site.task.item_id)
    assert [(event.action, event.row) for event in events] == [(GoldAction.FOLDED, None), (GoldAction.ERASED, None)]
    assert all(a.answer.rationale == "" for a in site.ledger.annotations.current([task.task_id])[task.task_id])
    assert check(site.ledger.golden).problems == ()


def test_the_proofs_of_the_others_hold_in_the_derived_manifest(site: Site) -> None:
    golden = site.ledger.golden
    before, published = golden.members("1.0.0"), golden.version("1.0.0")
    others = [m for m in before if m.item_id != site.task.item_id]
    proofs = [manifest.inclusion(before, m.item_id, m.policy_id) for m in others]
    site.erase()
    now = golden.version("1.0.0")
    assert (now.name, now.merkle_root) == ("1.0.0+e1", published.merkle_root)
    assert not Path(published.manifest_path).exists()
    assert "+e1" in Path(now.manifest_path).name
    assert site.task.item_id not in Path(now.manifest_path).read_text()
    assert all(proof.holds(now.merkle_root) for proof in proofs)
    members, leaves = golden.members("1.0.0"), golden.leaves("1.0.0")
    assert [manifest.inclusion(members, m.item_id, m.policy_id, leaves) for m in others] == proofs
    assert manifest.verify(Path(now.manifest_path), now.merkle_root) == 3
    assert check(golden).rows == 3
    site.task = next(t for t in site.ledger.tasks.where() if t.item_id == others[0].item_id)
    site.erase()
    assert golden.version("1.0.0").name == "1.0.0+e2"
    assert len(list(site.places.golden.glob("*.jsonl"))) == 1
    assert check(golden).problems == ()


def test_a_leaf_that_is_edited_is_named(site: Site) -> None:
    site.erase()
    path = Path(site.ledger.golden.version("1.0.0").manifest_path)
    leaf = next(iter(site.ledger.golden.leaves("1.0.0").values()))
    path.write_text(path.read_text().replace(leaf, "0" * 64))
    assert any("does not match its sha256" in problem for problem in audit(site.ledger.golden).problems)


def test_the_next_version_is_without_it_and_says_so(site: Site) -> None:
    site.erase()
    assert publish(site.ledger.golden, site.places.golden, NOW).version == "1.1.0"
    assert diff(site.ledger.golden, "1.0.0", "1.1.0").counts == {"erased": 1}
    folder = export(site, name="again")
    assert site.task.item_id not in (folder / "data" / "train.jsonl").read_text()
    assert "1 rows of the version were erased" in (folder / "README.md").read_text()


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize(("step", "before"), [(next(iter(STEPS)), True), *((step, False) for step in STEPS)])
def test_whoever_is_killed_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch, step: str, before: bool) -> None:
    export(site, "team-b@example.org")
    real = STEPS[step]

    def dies(job: Any) -> None:
        if not before:
            real(job)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setitem(STEPS, step, dies)
        with pytest.raises(Killed):
            site.erase()
    (half,) = standings(site.ledger)
    assert half.left == tuple(STEPS)[list(STEPS).index(step) :]
    assert site.ledger.golden.rows_of(site.task.item_id)[0].state is GoldState.ERASED
    assert finish_all(site.ledger, site.shop.lake, site.places) == 1
    assert standings(site.ledger)[0].left == ()
    assert site.holding(site.task.text) == []
    assert site.ledger.golden.version("1.0.0").name == "1.0.0+e1"
    assert check(site.ledger.golden).problems == ()
    assert finish_all(site.ledger, site.shop.lake, site.places) == 0
    assert site.erase().erasure == standings(site.ledger)[0].erasure


def test_a_legal_hold_blocks_it_with_its_reason(site: Site) -> None:
    item = site.ledger.items.named(site.task.item_id)
    site.ledger.erasures.hold(item, "counsel", "case 2026-114")
    assert reach(site.ledger, item.external_id).holds == ("case 2026-114",)
    with pytest.raises(Conflict, match=r"under a legal hold by counsel: case 2026-114; nothing was erased"):
        site.erase()
    assert site.ledger.erasures.all() == []
    assert site.ledger.tasks.get(site.task.task_id).text
    site.ledger.erasures.release(item.item_id, "counsel", "case closed")
    with pytest.raises(NotFound, match="under no legal hold"):
        site.ledger.erasures.release(item.item_id, "counsel", "again")
    assert site.erase().left == ()
    with pytest.raises(Conflict, match="is erased already"):
        site.ledger.erasures.hold(item, "counsel", "too late")


def test_recipients_are_told_of_and_their_answers_kept(site: Site) -> None:
    export(site, "Team-B@example.org")
    export(site, "team-c@example.org", name="second")
    export(site, name="nobodys")
    assert reach(site.ledger, site.task.item_id).recipients == ("Team-B@example.org", "team-c@example.org")
    done = site.erase()
    external_id = done.erasure.external_id
    assert [(n.recipient, n.acknowledged_at) for n in done.notices] == [
        ("Team-B@example.org", None),
        ("team-c@example.org", None),
    ]
    (first,) = site.ledger.erasures.acknowledge(external_id, "team-b@EXAMPLE.org", "dpo", "mail of 3 March")
    assert (first.acknowledged_by, first.note) == ("dpo", "mail of 3 March")
    assert site.ledger.erasures.acknowledge(external_id, "team-b@example.org", "other", "") == [first]
    assert [n.acknowledged_by for n in site.ledger.erasures.notices()] == ["dpo", ""]
    with pytest.raises(NotFound, match="nobody had to ask"):
        site.ledger.erasures.acknowledge(external_id, "nobody", "dpo", "")


def test_an_erased_item_does_not_come_back(site: Site) -> None:
    name = site.erase().erasure.external_id
    rows = [{"external_id": name, "text": "anything"}, {"external_id": "post-new", "text": "something"}]
    rules = {"lock_path": site.shop.folder / "lock", "max_text_chars": 1000, "policies": site.shop.policies}
    report = ingest(rows, site.shop.lake, site.ledger.items, **rules)  # type: ignore[arg-type]
    assert (report.added, report.stopped) == (1, 1)
    with pytest.raises(Conflict, match="or erased: 'ext-"):
        site.ledger.items.register([replace(items(range(1))[0], external_id=name)], 9)


def test_copies_models_and_strange_folders_are_left_to_somebody(site: Site) -> None:
    text = site.task.text
    copy = replace(
        items(range(9, 10))[0], text=text, content_hash=site.ledger.items.named(site.task.item_id).content_hash
    )
    site.shop.ingest([copy])
    folder = export(site)
    (folder / "README.md").write_text("another data set")
    assert reach(site.ledger, site.task.item_id).copies == (copy.external_id,)
    site.erase()
    assert (folder / "data" / "train.jsonl").is_file()
    assert copy.item_id in site.shop.lake.ids()


def test_media_that_others_show_or_that_lie_elsewhere_stay(site: Site) -> None:
    assert site.places.media is not None
    outside = site.shop.folder / "outside.jpg"
    outside.write_bytes(b"x")
    twins = [replace(item, media="shared.jpg") for item in items(range(20, 22), "twin {n} w{n} v{n}")]
    (site.places.media / "shared.jpg").write_bytes(b"x")
    stray = replace(items(range(22, 23), "stray {n} w{n} v{n}")[0], media="../outside.jpg")
    site.shop.ingest([*twins, stray])
    for item in (twins[0], stray):
        erase(site.ledger, site.shop.lake, site.places, item.external_id, "dpo", "why")
    assert outside.exists()
    assert (site.places.media / "shared.jpg").exists()
    erase(site.ledger, site.shop.lake, site.places, twins[1].external_id, "dpo", "why")
    assert not (site.places.media / "shared.jpg").exists()
    assert check(site.ledger.golden).problems == ()


def test_what_is_asked_wrongly_is_said(site: Site) -> None:
    with pytest.raises(InvalidInput, match="reason"):
        site.erase(" ")
    with pytest.raises(NotFound, match="'nobody'"):
        erase(site.ledger, site.shop.lake, site.places, "nobody", "dpo", "why")
    assert site.ledger.erasures.all() == []


def test_an_export_during_which_an_item_goes_is_taken_back(site: Site) -> None:
    folder = site.shop.folder / "exports" / "racing"

    def meanwhile(_done: int, _total: int) -> None:
        site.erase()

    with pytest.raises(Conflict, match="was erased while it was exported"):
        hand_out(site.ledger, "1.0.0", folder, actor="cli", recipient="team", progress=meanwhile)
    assert not folder.exists()
    assert site.ledger.erasures.exports() == []


@pytest.mark.postgres
def test_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    with postgres.database() as url:
        shop = Shop(open_ledger(url), LanceLake(tmp_path / "lake"), tmp_path)
        site = build(shop, tmp_path)
        assert site.erase().left == ()
        assert check(site.ledger.golden).problems == ()
        site.ledger.close()


CLIENT = "goldfold_client"
RIGHTS = ("GRANT pg_checkpoint TO {}", "GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {}")


@contextmanager
def own_database(postgres: PostgresServer) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """A database of a role that is no superuser; its URL, and a superuser's connection to it."""
    who = sql.Identifier(CLIENT)
    with postgres.connect() as server:
        server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(who))
        try:
            with postgres.database() as url:
                name = str(sa.make_url(url).database)
                server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), who))
                with psycopg.connect(
                    host=str(postgres.folder), user="postgres", dbname=name, autocommit=True
                ) as superuser:
                    yield url.replace("postgres@", f"{CLIENT}@"), superuser
                    superuser.execute(sql.SQL("DROP OWNED BY {}").format(who))
        finally:
            server.execute(sql.SQL("DROP ROLE {}").format(who))


def files_with(postgres: PostgresServer, *needles: str) -> dict[str, set[str]]:
    """By needle, the kinds of files of the server (its folder below ``data``: base, pg_wal, ...) that hold it."""
    found: dict[str, set[str]] = {needle: set() for needle in needles}
    for path in (postgres.folder / "data").rglob("*"):
        with suppress(FileNotFoundError):  # the server removes files meanwhile
            raw = path.read_bytes() if path.is_file() else b""
            for needle in needles:
                if needle.encode() in raw:
                    found[needle].add(path.relative_to(postgres.folder / "data").parts[0])
    return found


def incompressible(number: int) -> str:
    """Words that PostgreSQL moves out of line and cannot compress, so that they can be looked for byte by byte."""
    letters = np.array([*string.ascii_letters, *string.digits, "-", "_"])
    words = np.random.default_rng(number).choice(letters, (500, 12))
    return "".join(f" {''.join(word)}" for word in words)


def needles(row: GoldenItem) -> tuple[str, ...]:
    """What is looked for: the head of the text, a word of its middle, its hash, and the salt of its row."""
    return row.text[:30], row.text.split()[200], row.content_hash, row.salt


@pytest.mark.postgres
def test_nothing_of_the_item_is_left_in_the_files_of_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    with own_database(postgres) as (url, superuser):
        shop = Shop(open_ledger(url), LanceLake(tmp_path / "lake"), tmp_path)
        site = build(shop, tmp_path, incompressible)
        first, second, _ = site.ledger.golden.items()
        superuser.execute("ANALYZE")
        superuser.execute("CHECKPOINT")
        before = files_with(postgres, *needles(first))
        assert all({"base", "pg_wal"} <= places for places in before.values()), before
        told = superuser.execute("SELECT coalesce(string_agg(s::text, ''), '') FROM pg_stats s").fetchone()
        assert told is not None
        assert not any(needle in told[0] for needle in needles(first))  # nor in statistics, which are compressed

        erase(site.ledger, shop.lake, site.places, first.external_id, "dpo", "why")
        superuser.execute("CHECKPOINT")  # what is in memory is written too
        left = files_with(postgres, *needles(first))
        assert {place for places in left.values() for place in places} == {"pg_wal"}
        cures = [note.split(": ")[1].split(" ")[0] for note in site.ledger.erasures.remains()]
        assert cures == ["GRANT", "set"]  # it says so
        assert all("base" in places for places in files_with(postgres, *needles(second)).values())

        for right in RIGHTS:
            superuser.execute(sql.SQL(right).format(sql.Identifier(CLIENT)))
        superuser.execute("ALTER SYSTEM SET wal_recycle = off")
        superuser.execute("SELECT pg_reload_conf()")
        try:
            while site.ledger.erasures.remains():
                time.sleep(0.05)  # until the server has read its settings anew
            erase(site.ledger, shop.lake, site.places, second.external_id, "dpo", "why")
            assert not any(files_with(postgres, *needles(first), *needles(second)).values())
        finally:
            superuser.execute("ALTER SYSTEM RESET wal_recycle")
            superuser.execute("SELECT pg_reload_conf()")
        assert check(site.ledger.golden).problems == ()
        site.ledger.close()


@pytest.mark.postgres
def test_an_erasure_waits_for_whoever_still_sees_the_item(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.store.database.BUSY_TIMEOUT_S", 0.3)
    with postgres.database() as url:
        shop = Shop(open_ledger(url), LanceLake(tmp_path / "lake"), tmp_path)
        site = build(shop, tmp_path)
        with psycopg.connect(url.replace("+psycopg", "")) as reader:
            reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT count(*) FROM pg_class")
            with pytest.raises(StoreError, match=r"session \d+ of postgres still sees what was erased"):
                site.erase()
        assert standings(site.ledger)[0].left == ("ledger",)
        assert site.erase().left == ()
        site.ledger.close()


@pytest.mark.parametrize("form", FORMS)
def test_exports_of_every_form_go_whole(site: Site, form: str) -> None:
    folder = export(site, form=form)
    assert folder.is_dir()
    site.erase()
    assert not folder.exists()


@pytest.mark.parametrize("how", [FILES, BYTES])
def test_an_erased_image_goes_from_exports_with_its_bytes(tmp_path: Path, how: str) -> None:
    desk, album, root = open_desk(tmp_path, Shares(1, 0, 0, 0, 0)), Album(), tmp_path / "media"
    shots = {"p": drawn(3), "q": drawn(4)}
    for item_id, shot in shots.items():
        label_image(desk, album, item_id, shot, f"the caption of picture {item_id}")
        (root / "shots").mkdir(parents=True, exist_ok=True)
        (root / album.media[item_id]).write_bytes(shot)
    publish(desk.ledger.golden, tmp_path / "golden", NOW)
    enclosing = Enclosing(how, places_in(desk.lake), MediaReader(root).read)
    done = hand_out(desk.ledger, "1.0.0", tmp_path / "out", actor="cli", recipient="b", enclosing=enclosing)
    assert done.rows == 2
    row = desk.ledger.golden.rows_of("p")[0]
    needles = [shots["p"], b"the caption of picture p", row.content_hash.encode(), row.caption_hash.encode()]
    assert all(_holding(tmp_path, needle) for needle in needles)
    places = Places(tmp_path / "cache", tmp_path / "golden", root)
    assert erase(desk.ledger, desk.lake, places, "p", "dpo", "asked for").left == ()
    assert [_holding(tmp_path, needle) for needle in needles] == [[], [], [], []]
    assert not (tmp_path / "out").exists()
    assert desk.ledger.golden.rows_of("p")[0].caption_hash == ""
    assert check(desk.ledger.golden).problems == ()
    again = hand_out(desk.ledger, "1.0.0", tmp_path / "again", actor="cli", enclosing=enclosing)
    assert (again.rows, desk.ledger.golden.version("1.0.0").name) == (1, "1.0.0+e1")
    desk.ledger.close()


def _holding(folder: Path, needle: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]
