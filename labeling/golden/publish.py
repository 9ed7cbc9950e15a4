"""Publish the golden set as an immutable version.

Semantic versions say what changed against the parent, judged by the manifest rows:
major: the set of policies or policy versions (what a label means); minor: which items are in, or their partition;
patch: anything else of a row (a corrected label, more votes). The first version is 1.0.0.

A version is there when the ledger has its row; the manifest is written before (temporary file, fsync, rename) under a
name that holds its Merkle root. A crash in between leaves a complete file that the next run finds, or nobody names.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from labeling.errors import Conflict, IntegrityError, InvalidInput, LabelingError, NothingToDo, StoreError
from labeling.golden import manifest
from labeling.records import GoldenItem, GoldenVersion, GoldState, Outcome, Partition, VersionState

BUMPS = ("patch", "minor", "major")


class GoldenSet(Protocol):
    """The part of the ledger that publishing uses."""

    def items(self) -> list[GoldenItem]: ...
    def versions(self, *, everything: bool = False) -> list[GoldenVersion]: ...
    def members(self, version: str, *, unreleased: bool = False) -> list[GoldenItem]: ...
    def add_version(self, version: GoldenVersion, members: Iterable[GoldenItem]) -> None: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that is not there yet: its number, the released one before it with its rows, and its own rows."""

    version: str
    parent: GoldenVersion | None
    before: list[GoldenItem]
    members: list[GoldenItem]


class GoldenArchive(Protocol):
    """The part of the ledger that verifying reads."""

    def version(self, version: str) -> GoldenVersion: ...
    def stream(
        self, version: str, partition: str | None = None, *, unreleased: bool = False
    ) -> Iterator[GoldenItem]: ...
    def leaves(self, version: str) -> dict[tuple[str, str], str]: ...


def publish(
    golden: GoldenSet,
    folder: Path,
    now: datetime,
    bump: str | None = None,
    *,
    author: str = "",
    two_person: bool = False,
) -> GoldenVersion:
    """Publish what the golden set holds now; the manifest goes into ``folder``. With ``two_person`` it is proposed
    only, until somebody other than ``author`` approves it.

    ``bump`` may ask for a higher step than the changes need, never for a lower one (InvalidInput). Raises NothingToDo
    when there is no active item, or nothing changed since the last version; Conflict when a version still waits for
    its approval, or a row changed meanwhile; IntegrityError when a near-duplicate group lies in two partitions;
    StoreError when the manifest cannot be written.
    """
    drafted = draft(golden, bump)
    number, members = drafted.version, drafted.members
    parent = None if drafted.parent is None else drafted.parent.version
    rows = manifest.rows(members)
    root = manifest.merkle_root(rows)
    version = GoldenVersion(
        version=number,
        parent=parent,
        merkle_root=root,
        manifest_path=str(
            write_manifest(folder.resolve() / f"golden-{number}-{root[:16]}.jsonl", manifest.lines(rows))
        ),
        counts=dict(sorted(Counter(str(m.partition) for m in members).items())),
        created_at=now,
        author=author,
        needs_approval=two_person,
    )
    try:
        golden.add_version(version, members)
    except LabelingError:
        _drop(golden, Path(version.manifest_path))
        raise
    return version


def draft(golden: GoldenSet, bump: str | None = None) -> Draft:
    """What ``publish`` would make now; nothing is written. Raises as it does."""
    if bump is not None and bump not in BUMPS:
        raise InvalidInput(f"bump: {bump!r} is not one of {', '.join(BUMPS)}")
    members = publishable(golden.items())
    if not members:
        raise NothingToDo("the golden set has no active item yet: label and sync first")
    _whole_groups(members)
    everything = golden.versions(everything=True)
    parent = _last_released(everything)
    before = [] if parent is None else golden.members(parent.version)
    step = "major" if parent is None else _step(before, members, bump)
    number = _free(parent.version if parent else None, step, {one.version for one in everything})
    return Draft(number, parent, before, members)


def _drop(golden: GoldenSet, path: Path) -> None:
    """A manifest that no version names may tell of a row that was erased meanwhile."""
    if str(path) not in {one.manifest_path for one in golden.versions(everything=True)}:
        path.unlink(missing_ok=True)


def _last_released(versions: Sequence[GoldenVersion]) -> GoldenVersion | None:
    waiting = [one.version for one in versions if one.state is VersionState.PROPOSED]
    if waiting:
        raise Conflict(
            f"golden version {waiting[0]} waits for its approval; decide it first (goldfold golden approve, or reject)"
        )
    released = [one for one in versions if one.state is VersionState.RELEASED]
    return released[-1] if released else None


def _free(parent: str | None, step: str, taken: Collection[str]) -> str:
    """The next number by ``step`` that no version has: that of a rejected one is not given again."""
    number = "1.0.0" if parent is None else _next(parent, step)
    while number in taken:
        number = _next(number, step)
    return number


def verify(golden: GoldenArchive, version: str, members: Iterable[GoldenItem] | None = None) -> int:
    """Recompute every hash of a version's manifest and compare it with the ledger's frozen rows (``members`` where
    somebody else reads them anyway); how many there are. Neither is held.

    Raises NotFound for an unknown version, IntegrityError naming what does not match.
    """
    published = golden.version(version)
    frozen = golden.stream(version, unreleased=True) if members is None else members
    return manifest.verify(Path(published.manifest_path), published.merkle_root, frozen, golden.leaves(version))


def publishable(items: Iterable[GoldenItem]) -> list[GoldenItem]:
    """The rows a version holds: active ones with a usable answer, sorted by (item_id, policy_id)."""
    usable = [i for i in items if i.state is GoldState.ACTIVE and i.outcome is not Outcome.CONTEXT_MISSING]
    return sorted(usable, key=lambda i: (i.item_id, i.policy_id))


def shown_outcome(item: GoldenItem) -> str:
    """The outcome as it may be shown or counted: a sealed item's is withheld, as counts over time would tell it."""
    return "withheld" if item.partition is Partition.SEALED else str(item.outcome)


def needed_bump(before: Sequence[GoldenItem], after: Sequence[GoldenItem]) -> str | None:
    """The least step that the change from one set of members to another needs; None: nothing changed."""
    if {(i.policy_id, i.policy_version) for i in before} != {(i.policy_id, i.policy_version) for i in after}:
        return "major"
    if {(i.item_id, i.policy_id, i.partition) for i in before} != {
        (i.item_id, i.policy_id, i.partition) for i in after
    }:
        return "minor"
    return "patch" if manifest.rows(before) != manifest.rows(after) else None


def _step(before: Sequence[GoldenItem], after: Sequence[GoldenItem], bump: str | None) -> str:
    needed = needed_bump(before, after)
    if needed is None:
        raise NothingToDo("nothing changed in the golden set since its last version")
    if bump is None:
        return needed
    if BUMPS.index(bump) < BUMPS.index(needed):
        raise InvalidInput(f"bump: the changes need a {needed} version, {bump} would hide that")
    return bump


def _next(version: str, step: str) -> str:
    major, minor, patch = (int(part) for part in version.split("."))
    bumped = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}[step]
    return ".".join(str(part) for part in bumped)


def _whole_groups(members: Sequence[GoldenItem]) -> None:
    partitions: dict[str, str] = {}
    for member in members:
        held = partitions.setdefault(member.group_id, member.partition)
        if held != member.partition:
            raise IntegrityError(
                f"item {member.item_id}: its group {member.group_id} lies in both {held} and {member.partition}"
            )


def write_manifest(path: Path, lines: Iterable[str]) -> Path:
    """The file, whole or not at all. Raises StoreError."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="ascii", newline="\n") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: the manifest cannot be written: {error.strerror}; nothing was published") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
