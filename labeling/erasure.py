"""Erase an item: from the ledger, the lake, the disk, every cached export and every published manifest.

The ledger lets go first, in one transaction with the tombstone (``labeling.store.erasures``). From then on the erasure
is visible, nobody is shown the item, and what is left are steps that may be repeated: media, lake, caches, exports,
manifests, and last the ledger's own free pages. Each is marked when it is done, so whoever was killed goes on where
they were, by the next ``erase`` or the next sync. Label Studio's tasks go as after a legal stop
(``labeling.stops.clear_studio``).
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labeling.errors import StoreError, UnknownItem
from labeling.golden import manifest
from labeling.golden.croissant import FILE
from labeling.golden.enclosures import FOLDER, remove_media
from labeling.golden.export import SUFFIXES, image_tasks
from labeling.golden.publish import write_manifest
from labeling.golden_records import Erasure, HandedOut, Notice
from labeling.judging.answers import forget
from labeling.model_records import Model
from labeling.records import Partition
from labeling.stops import drop_caches
from labeling.store.interfaces import Erasures, Golden, ItemRegistry, Lake, Models, Tasks

LOCK = ".erasing.lock"


class Stores(Protocol):
    """The part of the ledger that erasing needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def erasures(self) -> Erasures: ...

    @property
    def models(self) -> Models: ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where content, or what was said of it, lies outside the two stores; ``media``: the folder of local media, if any;
    ``answers``: the file of what remote judges answered, if any."""

    cache: Path
    golden: Path
    media: Path | None = None
    answers: Path | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """What an erasure takes away, or would: ``versions`` that hold the item, ``tasks`` about it, ``exports`` that are
    deleted, ``recipients`` to tell. What it leaves, for somebody to decide: ``copies`` (external ids of items of the
    same content) and ``models`` that learnt from it. ``holds``: reasons that forbid it."""

    external_id: str
    versions: tuple[str, ...]
    tasks: int
    exports: tuple[str, ...]
    recipients: tuple[str, ...]
    copies: tuple[str, ...]
    models: tuple[str, ...]
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """An erasure as it stands. ``left``: the steps still to be done; ``studio``: tasks still to be deleted in Label
    Studio; ``notices``: whom to tell, and who has answered."""

    erasure: Erasure
    left: tuple[str, ...]
    studio: int
    notices: tuple[Notice, ...]


def reach(stores: Stores, name: str) -> Reach:
    """What erasing the item of that name (external id, or item id) would mean. Raises NotFound."""
    item = stores.items.named(name)
    places = stores.erasures.places(item.item_id)
    exports = _holding(stores.erasures.exports(), places)
    return Reach(
        external_id=item.external_id,
        versions=tuple(dict.fromkeys(version for version, _ in places)),
        tasks=len(stores.tasks.of_item(item.item_id)),
        exports=tuple(one.folder for one in exports),
        recipients=tuple(sorted({one.recipient for one in exports if one.recipient})),
        copies=tuple(o.external_id for o in stores.items.copies(item.content_hash) if o.item_id != item.item_id),
        models=tuple(_learnt(stores.models.all(), places)),
        holds=tuple(hold.reason for hold in stores.erasures.holds(item.item_id)),
    )


def erase(stores: Stores, lake: Lake, places: Places, name: str, actor: str, reason: str) -> Standing:
    """Erase the item of that name, or go on with it. Raises NotFound, InvalidInput, Conflict under a legal hold;
    StoreError leaves the erasure visible, and the next call goes on."""
    made = stores.erasures.begin(stores.items.named(name).item_id, actor, reason)
    finish(stores, lake, places, made)
    return next(one for one in standings(stores) if one.erasure.erasure_id == made.erasure_id)


def finish_all(stores: Stores, lake: Lake, places: Places) -> int:
    """Go on with every erasure that is not finished; how many there were."""
    waiting = [made for made in stores.erasures.all() if made.finished_at is None]
    for made in waiting:
        finish(stores, lake, places, made)
    return len(waiting)


def finish(stores: Stores, lake: Lake, places: Places, made: Erasure) -> None:
    """Do the steps that are not marked, in order. One process of a machine at a time: two that derive a manifest at
    once could each leave the other's item in it."""
    with _alone(places.golden):
        now = next(one for one in stores.erasures.all() if one.erasure_id == made.erasure_id)
        for step, work in STEPS.items():
            if step not in now.done:
                work(_Job(stores, lake, places, now))
                stores.erasures.mark(now.erasure_id, step, last=step == LAST)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or the process dies
            yield
    except OSError as error:
        raise StoreError(f"{folder}: the erasure cannot go on: {error.strerror or error}; call it again") from error


def standings(stores: Stores) -> list[Standing]:
    """Every erasure, oldest first."""
    notices = stores.erasures.notices()
    return [
        Standing(
            erasure=made,
            left=tuple(step for step in STEPS if step not in made.done),
            studio=stores.erasures.waiting(made.item_id),
            notices=tuple(one for one in notices if one.erasure_id == made.erasure_id),
        )
        for made in stores.erasures.all()
    ]


@dataclass(frozen=True, slots=True)
class _Job:
    stores: Stores
    lake: Lake
    places: Places
    made: Erasure


def _media(job: _Job) -> None:
    """The file behind the item, unless another item shows it too. The lake tells which, so it goes after this."""
    root = job.places.media
    try:
        media = str(job.lake.take([job.made.item_id], ["media"]).column("media")[0].as_py() or "")
    except UnknownItem:
        return
    if root is None or not media or "://" in media or media.startswith("data:"):
        return
    shown = sum(batch.column("media").to_pylist().count(media) for batch in job.lake.scan(["media"]))
    path = (root / media).resolve()
    if shown == 1 and path.is_relative_to(root.resolve()) and path.is_file():
        path.unlink()
        (root / media).unlink(missing_ok=True)  # where it was a link


def _lake(job: _Job) -> None:
    job.lake.erase([job.made.item_id])


def _caches(job: _Job) -> None:
    drop_caches(job.places.cache)
    if job.places.answers is not None:
        forget(job.places.answers, job.made.item_id)


def _exports(job: _Job) -> None:
    held = job.stores.erasures.places(job.made.item_id)
    for one in _holding(job.stores.erasures.exports(), held):
        remove_export(one)


def _manifests(job: _Job) -> None:
    """Each version that held the item gets a manifest that has a hash in its place; those before it go."""
    for version in dict.fromkeys(version for version, _ in job.stores.erasures.places(job.made.item_id)):
        _derive(job, version)
    named = {one.manifest_path for one in job.stores.golden.versions(everything=True)}
    for path in job.places.golden.glob("*.jsonl*"):
        if str(path) not in named and job.made.item_id in path.read_text(encoding="utf-8", errors="replace"):
            path.unlink(missing_ok=True)


def _derive(job: _Job, version: str) -> None:
    golden, erasures = job.stores.golden, job.stores.erasures
    leaves = golden.leaves(version)
    number, known = erasures.derivation(version)
    published = golden.version(version)
    if known < len(leaves):
        rows = manifest.rows(golden.members(version, unreleased=True), leaves)
        name = f"golden-{version}+e{number + 1}-{published.merkle_root[:16]}.jsonl"
        path = write_manifest(job.places.golden.resolve() / name, manifest.lines(rows))
        erasures.derive(version, number + 1, len(leaves), str(path))
        if Path(published.manifest_path) != path:
            Path(published.manifest_path).unlink(missing_ok=True)


def _ledger(job: _Job) -> None:
    job.stores.erasures.scrub()


STEPS: Mapping[str, Callable[[_Job], None]] = {
    "media": _media,
    "lake": _lake,
    "caches": _caches,
    "exports": _exports,
    "manifests": _manifests,
    "ledger": _ledger,
}
LAST = list(STEPS)[-1]


def remove_export(one: HandedOut) -> None:
    """Delete the files of an export, and the folder when nothing else is in it. One that is not what was written there,
    by its card, is left alone."""
    folder = Path(one.folder)
    card = folder / "README.md"
    if not card.is_file() or f"# Golden set {one.version}" not in card.read_text(encoding="utf-8", errors="replace"):
        return
    for partition in one.partitions:
        path = folder / "data" / f"{partition}.{SUFFIXES[one.form]}"
        for written in (path, image_tasks(path)):
            written.unlink(missing_ok=True)
    remove_media(folder)
    (folder / FILE).unlink(missing_ok=True)
    card.unlink(missing_ok=True)  # last: until it is gone, this is done again
    for empty in (*(folder / FOLDER).glob("*"), folder / FOLDER, folder / "data", folder):
        with suppress(OSError):  # somebody put something else there
            empty.rmdir()


def _holding(exports: list[HandedOut], places: list[tuple[str, str]]) -> list[HandedOut]:
    return [one for one in exports if any((one.version, partition) in places for partition in one.partitions)]


def _learnt(models: list[Model], places: list[tuple[str, str]]) -> list[str]:
    return [model.model_id for model in models if (model.golden_version, Partition.TRAIN.value) in places]
