"""The traffic as a map: the lake's texts that have a score and an embedding, or a sample of them, in clusters; or its
images, in the space of the embeddings of their own scorer.

Same lake version, sample and encoder: same clusters, so a cluster is known by an id that names the first two, and by
whom it holds. An id that is asked for again finds its cluster until what it was made of is gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labeling.errors import InvalidInput, NotFound, NothingToDo
from labeling.policies import Policies
from labeling.quality.coverage import Ints, assigned, clustered
from labeling.scorebook import F16, F32, Judge, embedding_group, matrix, read_sheet, score_group
from labeling.store.interfaces import ItemRegistry, Lake
from selection.hashing import item_hashes, uniforms

SAMPLE = 200_000  # items; above, a sample of so many is looked at
SEED = 0
TEXT, IMAGE = "text", "image"
LETTERS = {TEXT: "c", IMAGE: "i"}  # a cluster's id begins with it
_NAME = re.compile(r"(?P<letter>[ci])(?P<version>\d{1,12})x(?P<sample>\d{1,9})-[0-9a-f]{8}")

F64 = npt.NDArray[np.float64]
Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Frame:
    """Which items are meant: those of the lake ``version`` (0: now), at most ``sample`` of them, of one modality, text
    or image."""

    version: int = 0
    sample: int = SAMPLE
    modality: str = TEXT


@dataclass(frozen=True)
class Traffic:
    """``ids`` (n, sorted) of the ``total`` items that have a score and an embedding; ``left_out`` lack one.
    ``vectors`` (n, d) unit rows, ``probabilities`` (n, k) by ``policies``, ``labels`` (n,) and ``centroids`` as
    ``labeling.quality.coverage.clustered`` gives them."""

    frame: Frame
    ids: tuple[str, ...]
    total: int
    left_out: int
    vectors: F32
    policies: tuple[str, ...]
    probabilities: F32
    labels: Ints
    centroids: F32

    @property
    def is_whole(self) -> bool:
        """Whether it is every such item, and no sample."""
        return len(self.ids) == self.total

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The id of each cluster."""
        stem = f"{LETTERS[self.frame.modality]}{self.frame.version}x{self.frame.sample}"
        return tuple(f"{stem}-{_digest(self.members(label))}" for label in range(len(self.centroids)))

    def members(self, label: int) -> list[str]:
        """Those of ``ids`` in a cluster."""
        return [self.ids[row] for row in np.flatnonzero(self.labels == label)]

    def weights(self, policies: Policies, policy_id: str = "") -> F64:
        """(n,) how risky each is: its probability where that reaches the policy's threshold, else 0; without a policy
        the highest of all. Raises InvalidInput for a policy that the scorer does not judge."""
        wanted = [policy_id] if policy_id else [p for p in self.policies if p in policies]
        if policy_id and (policy_id not in policies or policy_id not in self.policies):
            known = ", ".join(p for p in self.policies if p in policies)
            raise InvalidInput(f"policy: {policy_id!r} is not judged by the scorer (it judges: {known})")
        found = np.zeros(len(self.ids), np.float64)
        for name in wanted:
            own = self.probabilities[:, self.policies.index(name)].astype(np.float64)
            found = np.maximum(found, np.where(own >= policies[name].threshold, own, 0.0))
        return found


def survey(items: ItemRegistry, lake: Lake, scorer: Judge, frame: Frame) -> Traffic:
    """Read the traffic and cluster it. ``scorer``: that of the frame's modality. Raises InvalidInput (sample),
    NothingToDo where no item has a score and an embedding."""
    if not 1 <= frame.sample <= SAMPLE:
        raise InvalidInput(f"sample: must lie in 1 to {SAMPLE}, found {frame.sample}")
    frame = replace(frame, version=frame.version or items.last_lake_version())
    everyone = items.ids(frame.version, frame.modality)
    there = set(lake.ids(embedding_group(scorer))).intersection(lake.ids(score_group(scorer)))
    known = [item_id for item_id in everyone if item_id in there]
    if not known:
        raise NothingToDo(_nothing(frame.modality, len(everyone)))
    sheet = read_sheet(lake, scorer, drawn(known, frame.sample))
    vectors = _unit(sheet.embeddings)
    labels, centroids = clustered(vectors, SEED)
    return Traffic(
        frame=frame,
        ids=sheet.ids,
        total=len(known),
        left_out=len(everyone) - len(known),
        vectors=vectors,
        policies=sheet.policies,
        probabilities=sheet.probabilities,
        labels=labels,
        centroids=centroids,
    )


def _nothing(modality: str, items: int) -> str:
    if modality == IMAGE and items:
        return (
            f"none of {items} images has a score and an embedding yet: run the score job (goldfold score) with an "
            "image scorer that makes embeddings"
        )
    return f"no {modality} has a score and an embedding yet: run the score job first (goldfold score)"


def drawn(ids: Sequence[str], most: int) -> list[str]:
    """All of them, or a simple random sample of ``most`` by a hash of each id; sorted."""
    if len(ids) <= most:
        return sorted(ids)
    order = np.argsort(uniforms(item_hashes(ids), "coverage"), kind="stable")[:most]
    return sorted(ids[row] for row in order)


def frame_of(cluster: str) -> Frame:
    """What a cluster's id says it was found in. Raises NotFound for what is no such id."""
    found = _NAME.fullmatch(cluster)
    if found is None:
        raise NotFound(f"cluster {cluster!r} is none: goldfold coverage show tells their ids")
    modality = next(name for name, letter in LETTERS.items() if letter == found["letter"])
    return Frame(int(found["version"]), int(found["sample"]), modality)


def place_of(traffic: Traffic, cluster: str) -> int:
    """The number of a cluster. Raises NotFound where what it was made of is gone."""
    if cluster not in traffic.names:
        raise NotFound(
            f"cluster {cluster!r} is not there any more, since items or their embeddings changed: ask for the coverage "
            "again (goldfold coverage show)"
        )
    return traffic.names.index(cluster)


def everyone_in(traffic: Traffic, items: ItemRegistry, lake: Lake, scorer: Judge, label: int) -> list[str]:
    """The items of a cluster, also those that the sample left out; sorted."""
    if traffic.is_whole:
        return traffic.members(label)
    known = set(items.ids(traffic.frame.version, traffic.frame.modality)).intersection(lake.ids(score_group(scorer)))
    found = []
    for batch in lake.scan(["embedding"], embedding_group(scorer)):
        ids = batch.column("item_id").to_pylist()
        rows = batch.column("embedding").flatten().to_numpy(zero_copy_only=False).reshape(len(ids), -1)
        near = assigned(_unit(rows), traffic.centroids) == label if ids else []
        found += [item_id for item_id, is_in in zip(ids, near, strict=True) if is_in and item_id in known]
    return sorted(found)


def vectors_of(lake: Lake, scorer: Judge, ids: Sequence[str]) -> F32:
    """(n, d) unit rows of items that have an embedding. Raises UnknownItem."""
    return _unit(matrix(lake.take(ids, ["embedding"], embedding_group(scorer))["embedding"]))


def _unit(rows: F16 | F32) -> F32:
    found = rows.astype(np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found /= np.where(lengths > 0, lengths, 1.0)
    return found


def _digest(ids: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(ids).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
