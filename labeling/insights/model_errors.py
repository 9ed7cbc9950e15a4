"""Where a model is wrong: false positives and negatives among golden items that may be looked at, by what they are
about.

Items of ``dev`` and ``calibration`` alone. What is sealed, or an anchor, is shown to nobody; what the model learnt says
nothing of it. Clusters are of all items that it judged, so each says how often it is wrong there. A cluster goes by the
external id of its medoid. Its words are made of content, so they are told to whoever asks for them only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from labeling.errors import InvalidInput, NothingToDo
from labeling.figures import Origin
from labeling.golden.gold_links import GoldAsked
from labeling.golden.judges import judging_rows
from labeling.golden.vectors import Vectors, unit
from labeling.judging.contender import TEXT, Contender, Decisions, decide
from labeling.quality.clusters import clusters
from labeling.quality.evaluation import PURPOSIVE, UNWEIGHTED
from labeling.quality.intervals import Figure, proportion
from labeling.quality.names import cluster_names
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Golden, Lake
from labeling.training import label_versions

OPEN = (Partition.DEV, Partition.CALIBRATION)
FALSE_POSITIVE, FALSE_NEGATIVE = "false positive", "false negative"
EMBEDDINGS = "embeddings-"
NO_CLUSTER = ""  # of items without an embedding


@dataclass(frozen=True, slots=True)
class ModelError:
    """One item on which the model decides otherwise than gold. ``far``: how far its probability lies from the
    threshold, on the wrong side."""

    external_id: str
    kind: str
    cluster: str
    probability: float
    far: float
    rule: str | None
    severity: int | None
    language: str
    lane: str


@dataclass(frozen=True, slots=True)
class ErrorCluster:
    """``cluster``: the external id of its medoid, NO_CLUSTER for what has no embedding; ``words``: what sets it apart,
    where that was asked for; ``wrong``: the share of its items that the model is wrong about."""

    cluster: str
    words: tuple[str, ...]
    items: int
    false_positives: int
    false_negatives: int
    wrong: Figure


@dataclass(frozen=True, slots=True)
class ModelErrors:
    """``clusters``: with an error, the most errors first; ``errors``: the farthest first; ``wrong``: of all items."""

    model_id: str
    policy: str
    partition: str
    threshold: float
    wrong: Figure
    clusters: tuple[ErrorCluster, ...]
    errors: tuple[ModelError, ...]
    golden_version: str
    policy_version: str
    licence: str

    @property
    def origin(self) -> Origin:
        """What its figures rest on; ``items`` names all that were judged."""
        asked = GoldAsked(self.golden_version, Partition(self.partition), self.policy, judging=True)
        return Origin(self.licence, self.golden_version, self.policy_version, asked.link())

    @property
    def share(self) -> dict[str, object]:
        """``wrong`` with its origin."""
        return self.origin.of(self.wrong.as_dict())

    def of_cluster(self, one: ErrorCluster) -> dict[str, object]:
        """What is wrong in a cluster, with its origin; no address of the API names its items."""
        return self.origin.of(one.wrong.as_dict()) | {"items": None}

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        found = [asdict(one) | {"wrong": self.of_cluster(one)} for one in self.clusters]
        return asdict(self) | {"wrong": self.share, "clusters": found}


def model_errors(
    golden: Golden,
    contender: Contender,
    vectors: Vectors,
    *,
    policy: str,
    version: str,
    partition: str = Partition.DEV,
    named: bool = False,
) -> ModelErrors:
    """Of one policy on a partition of a golden version. Raises InvalidInput for a policy that the model does not judge
    or a partition that is not open, NothingToDo where it holds no item that the model has not learnt."""
    if partition not in [str(each) for each in OPEN]:
        raise InvalidInput(f"partition: {partition!r} is not one of {', '.join(OPEN)}; others are shown to nobody")
    if policy not in contender.thresholds:
        known = ", ".join(sorted(contender.thresholds))
        raise InvalidInput(f"policy: {policy!r} is not judged by {contender.model_id!r} (it judges: {known})")
    held = judging_rows(golden, version, Partition(partition), contender.modality)
    rows = contender.fit([row for row in held if row.policy_id == policy])
    if not rows:
        raise NothingToDo(
            f"golden version {version} holds no item for {policy!r} in its {partition} partition that "
            f"{contender.model_id!r} has not learnt; label more first"
        )
    decided = decide(contender, rows)
    places = _clustered(decided.rows, vectors)
    tau = float(contender.thresholds[policy])
    return ModelErrors(
        model_id=contender.model_id,
        policy=policy,
        partition=str(partition),
        threshold=tau,
        wrong=proportion(int((~decided.right).sum()), len(decided.rows)),
        clusters=_clusters(decided, places, _words(decided.rows, places) if named else {}),
        errors=_errors(decided, places, tau),
        golden_version=version,
        policy_version=label_versions(decided.rows, policy),
        licence=UNWEIGHTED if all(row.pi is not None for row in decided.rows) else PURPOSIVE,
    )


def embedding_group(lake: Lake, encoder_version: str) -> str:
    """The column group of an encoder's embeddings, or, where the lake has none, of most embeddings."""
    groups = [group for group in sorted(lake.groups()) if group.startswith(EMBEDDINGS)]
    own = EMBEDDINGS + encoder_version
    return own if own in groups or not groups else max(groups, key=lake.count)


def _clustered(rows: Sequence[GoldenItem], vectors: Vectors) -> list[str]:
    """The cluster of each row."""
    found = vectors(sorted({row.item_id for row in rows}))
    known = [place for place, row in enumerate(rows) if row.item_id in found]
    named = [NO_CLUSTER] * len(rows)
    if known:
        made = clusters(unit(np.stack([found[rows[place].item_id] for place in known])))
        for place, code in zip(known, made.codes, strict=True):
            named[place] = rows[known[made.medoids[code]]].external_id
    return named


def _words(rows: Sequence[GoldenItem], places: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Of texts; a caption is not what an image is about."""
    names = sorted(set(places) - {NO_CLUSTER})
    numbers = {name: number for number, name in enumerate(names)} | {NO_CLUSTER: -1}
    texts = [row.text if row.modality == TEXT else "" for row in rows]
    found = cluster_names(texts, [numbers[place] for place in places], range(len(names)))
    return {name: found[number] for number, name in enumerate(names)}


def _clusters(
    decided: Decisions, places: Sequence[str], words: Mapping[str, tuple[str, ...]]
) -> tuple[ErrorCluster, ...]:
    every = Counter(places)
    wrong = Counter(zip(places, _kinds(decided), strict=True))
    found = []
    for name, items in every.items():
        over, under = wrong[name, FALSE_POSITIVE], wrong[name, FALSE_NEGATIVE]
        if over or under:
            figure = proportion(over + under, items)
            found.append(ErrorCluster(name, words.get(name, ()), items, over, under, figure))
    return tuple(sorted(found, key=lambda one: (-one.wrong.events, one.cluster)))


def _kinds(decided: Decisions) -> list[str]:
    """What is wrong with each decision; "" where nothing is."""
    kinds = {(False, True): FALSE_POSITIVE, (True, False): FALSE_NEGATIVE}
    pairs = zip(decided.truth.tolist(), decided.flagged.tolist(), strict=True)
    return [kinds.get(pair, "") for pair in pairs]


def _errors(decided: Decisions, places: Sequence[str], tau: float) -> tuple[ModelError, ...]:
    found = [
        ModelError(
            external_id=row.external_id,
            kind=kind,
            cluster=cluster,
            probability=float(probability),
            far=abs(float(probability) - tau),
            rule=row.rule,
            severity=row.severity,
            language=row.language,
            lane=row.lane,
        )
        for row, kind, cluster, probability in zip(
            decided.rows, _kinds(decided), places, decided.probabilities, strict=True
        )
        if kind
    ]
    return tuple(sorted(found, key=lambda one: (-one.far, one.external_id)))
