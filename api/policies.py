"""The policies that one process works by: the files it was given, under the texts that are published.

The ledger is asked for news at most every ``LOOK_EVERY_S``, so that a service goes over to a version that a command
published without being started again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Protocol

from labeling.errors import NotFound, PolicyError
from labeling.policies import Policy, read_policies
from labeling.policy_versions import (
    ChangeKind,
    PolicyVersion,
    by_policy,
    in_force,
    newest_texts,
    refuse_edits,
    version_of,
)

LOOK_EVERY_S = 2.0
FIRST_USE = "first use"
FIRST_REASON = "the first version that this ledger met"


class Registry(Protocol):
    """The part of the ledger that knows what is published."""

    @property
    def mark(self) -> int: ...
    def all(self) -> list[PolicyVersion]: ...
    def first(self, versions: Sequence[PolicyVersion]) -> None: ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """What was published as of ``mark``: ``histories`` by policy, the newest texts of those that have a file
    (``known``, retired ones included), and the policies ``now`` in force."""

    mark: int
    histories: Mapping[str, Sequence[PolicyVersion]]
    known: Mapping[str, Policy]
    now: Mapping[str, Policy]


class PolicyShelf:
    """Reads the files of ``folder`` once. ``register``: policies that the ledger does not know are published as new,
    and one at least must be in force. Raises PolicyError for a file that breaks a rule, or whose text is not that of
    the version it names; that is asked at the start, since what is published later is in force whatever a file says."""

    def __init__(self, registry: Registry, folder: Path, *, register: bool = True) -> None:
        self.files: Mapping[str, Policy] = read_policies(folder)
        self._registry, self._lock = registry, Lock()
        known = by_policy(registry.all())
        refuse_edits(self.files, known, folder)
        if register:
            self._register(known)
        self._shelf = self._read()
        if register and not self._shelf.now:
            raise PolicyError(f"{folder}: every policy of it is retired: add one, or publish one anew (kind: new)")
        self._looked_at = monotonic()

    @property
    def shelf(self) -> Shelf:
        """As of ``LOOK_EVERY_S`` ago at most."""
        if monotonic() - self._looked_at >= LOOK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._looked_at = monotonic()
                if self._registry.mark != self._shelf.mark:
                    self._shelf = self._read()
            finally:
                self._lock.release()
        return self._shelf

    @property
    def kept(self) -> Shelf:
        """As it was read last; the ledger is not asked."""
        return self._shelf

    def look(self) -> Shelf:
        """As of now."""
        with self._lock:
            self._shelf = self._read()
            self._looked_at = monotonic()
        return self._shelf

    def policy(self, policy_id: str, version: str) -> Policy:
        """A policy as it was published under a version, with the file's threshold. Raises NotFound."""
        shelf = self.shelf
        current = shelf.now.get(policy_id)
        if current is not None and current.version == version:
            return current
        for published in shelf.histories.get(policy_id, ()):
            if published.version == version:
                file = self.files.get(policy_id)
                old = published.policy
                return old if file is None else old.model_copy(update={"threshold": file.threshold})
        raise NotFound(f"policy {policy_id!r} has no version {version} (goldfold policy list)")

    def _register(self, known: Mapping[str, object]) -> None:
        told: dict[str, Any] = {"reason": FIRST_REASON, "actor": FIRST_USE, "at": datetime.now(UTC)}
        fresh = [policy for policy_id, policy in self.files.items() if policy_id not in known]
        self._registry.first([version_of(policy, [ChangeKind.NEW], [], **told) for policy in fresh])

    def _read(self) -> Shelf:
        mark = self._registry.mark  # first: what is published between the two is read anew the next time
        histories = by_policy(self._registry.all())
        return Shelf(mark, histories, newest_texts(self.files, histories), in_force(self.files, histories))
