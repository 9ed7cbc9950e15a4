"""Exports that are written down: which version and partitions went into which folder, and who got them.

The ledger is told before the first byte is written, so that an erasure knows of every copy. An export during which an
item of its version was erased is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from labeling.erasure import remove_export
from labeling.errors import Conflict
from labeling.golden.enclosures import NO_MEDIA, Enclosing
from labeling.golden.export import Exported, Progress, checked, export
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.vectors import Vectors, no_vectors
from labeling.golden_records import HandedOut
from labeling.pictures import Pictures, no_pictures
from labeling.store.interfaces import Erasures, Golden


class Stores(Protocol):
    """The part of the ledger that exports are written down in."""

    @property
    def golden(self) -> Golden: ...

    @property
    def erasures(self) -> Erasures: ...


def hand_out(
    stores: Stores,
    version: str,
    folder: Path,
    *,
    actor: str,
    recipient: str = "",
    form: str = "parquet",
    partitions: Sequence[str] = ("train",),
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
    pictures: Pictures = no_pictures,
    enclosing: Enclosing = NO_MEDIA,
    progress: Progress | None = None,
) -> Exported:
    """As ``labeling.golden.export.export``, written down under ``recipient``. Raises Conflict also when an item was
    erased meanwhile."""
    checked(form, partitions, folder)
    enclosing.check(form)
    known = stores.golden.version(version).version
    before = stores.golden.leaves(known)
    handed = HandedOut(
        export_id=uuid4().hex,
        version=known,
        folder=str(folder.resolve()),
        form=form,
        partitions=tuple(dict.fromkeys(partitions)),
        recipient=recipient.strip(),
        actor=actor,
        at=datetime.now(UTC),
    )
    stores.erasures.hand_out(handed)
    try:
        done = export(
            stores.golden,
            known,
            folder,
            form=form,
            partitions=partitions,
            vectors=vectors,
            cosine=cosine,
            pictures=pictures,
            enclosing=enclosing,
            progress=progress,
        )
    except BaseException:
        stores.erasures.take_back(handed.export_id)
        raise
    if stores.golden.leaves(known) != before:
        remove_export(handed)
        stores.erasures.take_back(handed.export_id)
        raise Conflict(f"an item of golden version {known} was erased while it was exported; export it again")
    return done
