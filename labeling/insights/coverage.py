"""How much of the traffic lies near gold, how far gold is from risky traffic, and which clusters are darkest.

Of texts, or of images: each by itself, in the space of its own scorer's embeddings, since a cosine between two spaces
says nothing. Gold: active golden items of that modality with an embedding, of one policy or of all. Sealed items and
anchors count in the figures of all traffic alone. Clusters, and the items that are told as dark or asked about, are
read off the gold of the other partitions: a cluster that looks bright while its exemplars look dark would say which
items lie near sealed ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from labeling.errors import InvalidInput
from labeling.figures import Origin, link, versions_of
from labeling.golden.newest import newest_name
from labeling.golden.planner import SEEN
from labeling.golden.vectors import LakeVectors, unit
from labeling.insights.traffic import F64, SEED, TEXT, Frame, Tick, Traffic, survey
from labeling.policies import Policies
from labeling.quality.coverage import (
    LADDER,
    NEAR,
    Bools,
    Ints,
    assigned,
    dark,
    divergence,
    nearest,
    ranked,
    share,
    weighted_share,
)
from labeling.quality.intervals import Figure
from labeling.quality.names import cluster_names
from labeling.records import GoldenItem, GoldState
from labeling.scorebook import F32, Judge, embedding_group
from labeling.store.interfaces import Golden, ItemRegistry, Lake, Rounds

MODALITIES = ("text", "image", "video")
EXEMPLARS = 5
NAMED_TEXTS = 20_000  # whose words names are made of, at most
WHERE = "/v1/coverage/items"
LOOKED_AT, RISKY, DARK = "looked at", "risky", "dark"
KINDS = (LOOKED_AT, RISKY, DARK)  # of items that a figure rests on
Json = dict[str, object]


class Stores(Protocol):
    """The part of the ledger that coverage is read from."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def rounds(self) -> Rounds: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """``policy`` "": all of them. ``cosine``: from where on an item is near gold, in (0, 1]. ``words``: name clusters
    by words of their texts, which only a lead may see."""

    policy: str = ""
    cosine: float = NEAR
    frame: Frame = field(default_factory=Frame)
    words: bool = False


@dataclass(frozen=True, slots=True)
class Gold:
    """Active golden items with an embedding: ``vectors`` (m, d) unit rows, ``seen`` (m,) those outside sealed and
    anchor. ``by_partition`` counts them; ``bare`` have no embedding."""

    vectors: F32
    seen: Bools
    by_partition: dict[str, int]
    bare: int


def coverage(
    stores: Stores,
    lake: Lake,
    scorer: Judge,
    policies: Policies,
    asked: Asked,
    tick: Tick = lambda _done, _all: None,
) -> Json:
    """Everything that coverage says; JSON-able, ``clusters`` from the darkest on. ``scorer``: that of the frame's
    modality; ``policies`` with the thresholds that it operates at. Raises InvalidInput (names the field), NothingToDo.
    """
    check_cosine(asked.cosine)
    traffic = survey(stores.items, lake, scorer, asked.frame)
    weights = traffic.weights(policies, asked.policy)
    found = gold_of(stores.golden, lake, scorer, [asked.policy] if asked.policy else [], asked.frame.modality)
    shown = nearest(traffic.vectors, found.vectors[found.seen], tick)
    cosines = np.maximum(shown, nearest(traffic.vectors, found.vectors[~found.seen]))
    told = _Told(traffic, weights, cosines >= asked.cosine, asked, _origin(stores.golden, policies, traffic, asked))
    apart = divergence(_by_cluster(traffic, found.vectors), traffic.labels, weights, SEED)
    seen = replace(told, is_near=shown >= asked.cosine)
    clusters = _clusters(stores.rounds, seen, _by_cluster(traffic, found.vectors[found.seen]))
    if asked.words:
        _name(lake, traffic, clusters)
    return {
        "policy": asked.policy,
        "cosine": asked.cosine,
        "modality": asked.frame.modality,
        "lake_version": traffic.frame.version,
        "items": traffic.total,
        "looked_at": len(traffic.ids),
        "left_out": traffic.left_out,
        "others": _others(stores.items, traffic.frame),
        "gold": {"items": len(found.vectors), "partitions": found.by_partition, "without_embedding": found.bare},
        "near": told.share(np.ones(len(traffic.ids), np.bool_)),
        "near_risky": told.risky(np.ones(len(traffic.ids), np.bool_)),
        "ladder": [{"cosine": at} | told.figure(share(cosines >= at, is_whole=traffic.is_whole)) for at in LADDER],
        "divergence": told.origin_of(RISKY).of(apart.as_dict() | {"n": apart.gold}),
        "clusters": clusters,
    }


def check_cosine(cosine: float) -> None:
    """Raises InvalidInput."""
    if not 0 < cosine <= 1:
        raise InvalidInput(f"cosine: must lie in (0, 1], found {cosine}")


def gold_of(golden: Golden, lake: Lake, scorer: Judge, policies: Collection[str], modality: str = TEXT) -> Gold:
    """Of these policies; of all where none is named. ``scorer``: that of the modality."""
    rows: dict[str, list[GoldenItem]] = {}
    for row in golden.items():
        if row.state is GoldState.ACTIVE and row.modality == modality and (not policies or row.policy_id in policies):
            rows.setdefault(row.item_id, []).append(row)
    vectors = LakeVectors(lake, embedding_group(scorer))(list(rows))
    there = [item_id for item_id in rows if item_id in vectors]
    partitions = Counter(rows[item_id][0].partition.value for item_id in there)
    return Gold(
        vectors=unit(np.array([vectors[i] for i in there], np.float32)) if there else np.zeros((0, 1), np.float32),
        seen=np.array([all(row.partition in SEEN for row in rows[item_id]) for item_id in there], np.bool_),
        by_partition=dict(sorted(partitions.items())),
        bare=len(rows) - len(there),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """Figures of parts of the traffic."""

    traffic: Traffic
    weights: F64
    is_near: Bools
    asked: Asked
    origin: Origin

    def share(self, part: Bools, cluster: str = "") -> Json:
        """Near gold, of the items."""
        return self.figure(share(self.is_near[part], is_whole=self.traffic.is_whole), cluster=cluster)

    def risky(self, part: Bools, cluster: str = "") -> Json:
        """Near gold, of the risky ones by weight."""
        found = weighted_share(self.is_near[part], self.weights[part], is_whole=self.traffic.is_whole)
        return self.figure(found, RISKY, cluster)

    def figure(self, figure: Figure, kind: str = LOOKED_AT, cluster: str = "") -> Json:
        return self.origin_of(kind, cluster).of(figure.as_dict())

    def origin_of(self, kind: str, cluster: str = "") -> Origin:
        """Of a figure of this kind of items, of a cluster ("": of all)."""
        frame = self.traffic.frame
        where = {"cluster": cluster} if cluster else {"version": frame.version, "sample": frame.sample}
        policy, modality = self.asked.policy or None, None if frame.modality == TEXT else frame.modality
        return replace(self.origin, items=link(WHERE, **where, kind=kind, policy=policy, modality=modality))


def _origin(golden: Golden, policies: Policies, traffic: Traffic, asked: Asked) -> Origin:
    known = f"{traffic.frame.modality}s that have a score and an embedding"
    licence = (
        f"population: all {traffic.total} {known}"
        if traffic.is_whole
        else f"population: a simple random sample of {len(traffic.ids)} of {traffic.total} {known}"
    )
    named = [asked.policy] if asked.policy else [p for p in traffic.policies if p in policies]
    return Origin(licence, newest_name(golden), versions_of((name, policies[name].version) for name in named), WHERE)


def _others(items: ItemRegistry, frame: Frame) -> dict[str, int]:
    """How many items of other modalities no figure speaks for."""
    counts = {name: len(items.ids(frame.version, name)) for name in MODALITIES if name != frame.modality}
    return {name: count for name, count in counts.items() if count}


def _by_cluster(traffic: Traffic, gold: F32) -> Ints:
    """(k,) how many golden items lie in each cluster."""
    counts = np.bincount(assigned(gold, traffic.centroids), minlength=len(traffic.centroids))
    return counts.astype(np.int64)


def _clusters(rounds: Rounds, told: _Told, gold: Ints) -> list[Json]:
    """The darkest first; ``told`` and ``gold`` (k,) of gold that may be told item by item."""
    traffic, weights = told.traffic, told.weights
    risk, items = dark(traffic.labels, told.is_near, weights, len(gold))
    scale, judged = traffic.total / len(traffic.ids), {item_id for item_id, _ in rounds.judged()}
    found: list[Json] = []
    for label in ranked(risk, items):
        part = traffic.labels == label
        if part.any():
            found.append(
                {
                    "cluster": traffic.names[label],
                    "words": [],
                    "items": round(int(part.sum()) * scale),
                    "looked_at": int(part.sum()),
                    "risky": int((weights[part] > 0).sum()),
                    "dark_risk": round(float(risk[label]) * scale, 3),
                    "gold": int(gold[label]),
                    "near": told.share(part, traffic.names[label]),
                    "near_risky": told.risky(part, traffic.names[label]),
                    "exemplars": _exemplars(traffic, np.flatnonzero(part & ~told.is_near), weights, label, judged),
                }
            )
    return found


def _exemplars(traffic: Traffic, rows: Ints, weights: F64, label: int, judged: Collection[str]) -> list[str]:
    """Dark items that nobody was asked about, the riskiest first, then the nearest to the centre."""
    centre = traffic.vectors[rows] @ traffic.centroids[label]
    order = rows[np.lexsort((rows, -np.round(centre, 5), -np.round(weights[rows], 5)))]
    free = (traffic.ids[row] for row in order if traffic.ids[row] not in judged)
    return [item_id for item_id, _ in zip(free, range(EXEMPLARS), strict=False)]


def _name(lake: Lake, traffic: Traffic, clusters: Sequence[Json]) -> None:
    """Write the words into clusters."""
    rows = np.linspace(0, len(traffic.ids) - 1, min(len(traffic.ids), NAMED_TEXTS)).astype(np.int64)
    texts = lake.take([traffic.ids[row] for row in rows], ["text"])["text"].to_pylist()
    places = {name: label for label, name in enumerate(traffic.names)}
    words = cluster_names([text or "" for text in texts], traffic.labels[rows].tolist(), list(places.values()))
    for cluster in clusters:
        cluster["words"] = list(words[places[str(cluster["cluster"])]])
