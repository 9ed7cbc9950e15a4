"""What an export does with the media of images: it names them, lays them beside the rows, or puts them into the rows.

``none``: a row has the hash of the image's bytes and where the image lies. ``files``: the bytes lie in the folder
``media`` of the export, each file under the name of its SHA-256, and once however many items show it. ``bytes``: they
lie in the column ``image`` of Parquet, as ``datasets.Image`` reads it. What is written is what people judged, to the
byte, so what a camera wrote into a file comes along. Media are read a few at a time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import BadMedia, IntegrityError, InvalidInput, UnknownItem
from labeling.golden.features import IMAGE, columns_of, schema_of, told
from labeling.golden.text import TEXT

NONE, FILES, BYTES = HOWS = ("none", "files", "bytes")
FOLDER = "media"
NAME = re.compile(r"[0-9a-f]{64}\.[a-z]{3,4}")  # of a file in ``FOLDER``
READERS = 4  # media in memory at once, with those that wait to be written
BATCH_BYTES = 2**25  # of media in a batch of rows
_MAGIC = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG", "png"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)


class Taken(Protocol):
    """The part of the lake that says where media lie."""

    def take(self, item_ids: Sequence[str], columns: Sequence[str]) -> pa.Table: ...
    def ids(self) -> list[str]: ...


Places = Callable[[Sequence[str]], Mapping[str, str]]  # item ids to the media of those that have any


def nowhere(item_ids: Sequence[str]) -> dict[str, str]:  # noqa: ARG001 - as ``Places``
    """No lake to ask."""
    return {}


def places_in(lake: Taken) -> Places:
    """Where the lake says that media lie; an item that it has let go of has none."""

    def places(item_ids: Sequence[str]) -> dict[str, str]:
        if not item_ids:
            return {}
        try:
            media = lake.take(item_ids, ["media"])["media"].to_pylist()
        except UnknownItem:
            there = set(lake.ids())
            kept = [item_id for item_id in item_ids if item_id in there]
            return dict(places(kept))
        return {item_id: str(one) for item_id, one in zip(item_ids, media, strict=True) if one}

    return places


@dataclass(frozen=True, slots=True)
class Enclosing:
    """``how``: one of ``HOWS``. ``places``: where media lie; ``read``: gives their bytes, or raises BadMedia.
    ``links``: of an item, the fields with links that Label Studio shows its image by, None where no links are given.
    ``licence``: what the images may be used for, in the words of whoever knows."""

    how: str = NONE
    places: Places = nowhere
    read: Callable[[str], bytes] | None = None
    links: Callable[[str], dict[str, object]] | None = None
    licence: str = ""

    def check(self, form: str) -> None:
        """Raises InvalidInput for what cannot be done in a format."""
        if self.how not in HOWS:
            raise InvalidInput(f"media: {self.how!r} is not one of {', '.join(HOWS)}")
        if self.how == BYTES and form != "parquet":
            raise InvalidInput(f"media: bytes go into parquet only, not into {form}; ask for files")


NO_MEDIA = Enclosing()


@dataclass(frozen=True, slots=True)
class _Image:
    """An image of a page of rows; ``end``: the place behind its last row."""

    item_id: str
    content_hash: str
    end: int


@dataclass(slots=True)
class Telling:
    """How rows of a version are told, and the media of those that are being written now."""

    version: str
    enclosing: Enclosing
    folder: Path
    media: dict[str, str] = field(default_factory=dict)
    held: dict[str, bytes] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(column.name for column in columns_of(images=self.enclosing.how == BYTES))

    @property
    def schema(self) -> pa.Schema:
        """Of Parquet."""
        return schema_of(images=self.enclosing.how == BYTES)

    def told(self, page: pa.RecordBatch) -> pa.RecordBatch:
        """Golden rows as they are exported."""
        rows = told(page, self.version, self.media)
        if self.enclosing.how != BYTES:
            return rows
        ends = zip(page["item_id"].to_pylist(), page["content_hash"].to_pylist(), strict=True)
        images = [_shown(content_hash, self.held.get(item_id)) for item_id, content_hash in ends]
        return rows.append_column(self.schema.field(IMAGE.name), pa.array(images, self.schema.field(IMAGE.name).type))

    def links(self, item_id: str) -> dict[str, object]:
        """The fields by which Label Studio shows an image: links of ours, or where it lies."""
        if self.enclosing.how != FILES and self.enclosing.links is not None:
            return self.enclosing.links(item_id)
        where = self.media.get(item_id)
        return {"image": where, "image_blurred": where}

    def batches(self, page: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The rows of ``page`` (``labeling.golden.columns.EXPORTED``) as they are exported, in their order, cut where
        their media grow too large to be held. Raises IntegrityError for media that cannot be read, or are not what
        people judged."""
        images = _images(page)
        places = self.enclosing.places([image.item_id for image in images]) if images else {}
        self.media = {i: place for i, place in places.items() if not place.startswith("data:")}
        start = size = 0
        for image, data in self._read(images, places) if self.enclosing.how != NONE else ():
            size += self._enclose(image, data)
            if size >= BATCH_BYTES:
                yield self.told(page.slice(start, image.end - start))
                start, size, self.held = image.end, 0, {}
        if start < len(page):
            yield self.told(page.slice(start))
        self.held = {}

    def _read(self, images: Sequence[_Image], places: Mapping[str, str]) -> Iterator[tuple[_Image, bytes]]:
        """Each image with its bytes, in order."""
        with ThreadPoolExecutor(READERS, "media") as pool:
            for start in range(0, len(images), READERS):
                part = images[start : start + READERS]
                yield from zip(part, pool.map(lambda image: self._bytes(image, places), part), strict=True)

    def _bytes(self, image: _Image, places: Mapping[str, str]) -> bytes:
        if self.enclosing.read is None:
            raise InvalidInput("media: nothing reads the media of images here; leave them out")
        cure = "put the file back, quarantine the item (goldfold golden quarantine), or leave media out"
        if image.item_id not in places:
            raise IntegrityError(f"item {image.item_id}: the lake does not say where its image lies; {cure}")
        try:
            data = self.enclosing.read(places[image.item_id])
        except BadMedia as error:
            raise IntegrityError(f"item {image.item_id}: its image {error}; or leave media out") from error
        if hashlib.sha256(data).hexdigest() != image.content_hash:
            raise IntegrityError(f"item {image.item_id}: its image is not the one that people judged; {cure}")
        return data

    def _enclose(self, image: _Image, data: bytes) -> int:
        """Lay an image down, or hold it; how many bytes are held more."""
        name = _name(image.content_hash, data)
        if self.enclosing.how == BYTES:
            self.held[image.item_id] = data
            return len(data)
        path = self.folder / FOLDER / name[:2] / name
        self.media[image.item_id] = f"{FOLDER}/{name[:2]}/{name}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return 0


def _images(page: pa.RecordBatch) -> list[_Image]:
    """Each once, in order; rows are sorted by item."""
    pictured = page.filter(pc.not_equal(page["modality"], TEXT))
    hashes = dict(zip(pictured["item_id"].to_pylist(), pictured["content_hash"].to_pylist(), strict=True))
    ends = {item_id: place for place, item_id in enumerate(page["item_id"].to_pylist() if hashes else (), start=1)}
    return [_Image(item_id, content_hash, ends[item_id]) for item_id, content_hash in hashes.items()]


def _shown(content_hash: str, data: bytes | None) -> dict[str, object] | None:
    return None if data is None else {"bytes": data, "path": _name(content_hash, data)}


def _name(content_hash: str, data: bytes) -> str:
    """By the hash, and by what the first bytes say that it is."""
    return f"{content_hash}.{next((kind for magic, kind in _MAGIC if data.startswith(magic)), 'bin')}"


def remove_media(folder: Path) -> None:
    """Delete the files that an export laid into its ``FOLDER``, and the folders that are empty then."""
    for path in sorted((folder / FOLDER).glob("*/*")):
        if NAME.fullmatch(path.name) and path.parent.name == path.name[:2]:
            path.unlink(missing_ok=True)
