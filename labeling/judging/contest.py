"""Hold the contest that the gate rules on, and write its verdict into the ledger."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeling.errors import Conflict, NotFound, NothingToDo
from labeling.figures import Origin, versions_of
from labeling.golden.enough import refuse_if_stale, shortfalls, stale_labels, too_little
from labeling.golden.gold_links import GoldAsked
from labeling.golden.judges import ANY, decidable, judging_rows, unread
from labeling.golden.manifest import canonical
from labeling.judging.contender import Contender, decide
from labeling.judging.frozen import GONE, gone_rows, kept, without_gone
from labeling.judging.frozen import told as told_gone
from labeling.judging.gate import Ruling, Terms, rule
from labeling.judging.sealed import Door, Json
from labeling.judging.signing import signed
from labeling.judging.slices import one_a_group
from labeling.quality.evaluation import PURPOSIVE, UNWEIGHTED
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Gates, Golden, SealedQueries

Bools = npt.NDArray[np.bool_]


class GateStores(Protocol):
    """The part of the ledger that the gate needs."""

    @property
    def golden(self) -> Golden: ...

    @property
    def gates(self) -> Gates: ...

    @property
    def sealed(self) -> SealedQueries: ...


@dataclass(frozen=True, slots=True)
class Contest:
    """Two contenders on a golden version. ``secret``: what the verdict is signed with, "" for nothing."""

    challenger: Contender
    champion: Contender
    golden_version: str
    terms: Terms
    secret: str = ""


def hold(stores: GateStores, contest: Contest, door: Door) -> Json:
    """The verdict as it stands in the ledger (``gate_id``, ``row_hash`` and its whole body), from the sealed partition
    and the anchors. The same contest again finds the same verdict and costs nothing.

    Raises NotFound (version), Conflict (a model against itself, or one of another modality), NothingToDo where no
    sealed item is left that neither has learnt, or one has no embedding, TooLittleGold where those that are left are of
    one kind in every policy that both judge, BudgetSpent."""
    challenger, champion, version = contest.challenger, contest.champion, contest.golden_version
    golden, modality = stores.golden.version(version), _met(challenger, champion)
    gone = gone_rows(stores.golden, stores.sealed, version, door.least)
    everything = decidable(kept(gone, stores.golden.members(version)), Partition.SEALED, modality)
    rows = one_a_group(champion.fit(challenger.fit(everything))) if everything else []
    policies = champion.thresholds.keys() & challenger.thresholds.keys()
    if not rows:
        refuse_if_stale(stores.golden, version, Partition.SEALED, policies, "tell two models apart")
        raise NothingToDo(
            f"golden version {version} has no sealed item that neither model has learnt; label more and publish first"
        )
    stale = stale_labels(stores.golden, stores.golden.members(version), Partition.SEALED)
    lacking = _lacking(rows, policies, stale, contest.terms.least)
    if lacking and lacking.keys() >= policies & {row.policy_id for row in rows}:
        raise too_little(version, Partition.SEALED, lacking, stale, "tell two models apart")
    anchors = judging_rows(stores.golden, version, Partition.ANCHOR, modality)
    question: Json = {
        "kind": "gate",
        "challenger": challenger.about(),
        "champion": champion.about(),
        "golden": {"version": version, "merkle_root": golden.merkle_root},
        "rows": rows_digest([*rows, *anchors]),
        "terms": terms_of(contest.terms),
        GONE: told_gone(gone),
    }

    def compute(question_hash: str) -> Json:
        ruling, decided = _judge(contest, rows, anchors, lacking)
        return (
            without_gone(question)
            | _origin(rows, version).within(ruling.as_dict())
            | {
                "gate_id": f"gate-{question_hash[:16]}",
                "at": datetime.now(UTC).isoformat(),
                "actor": door.actor,
                "anchors": {"n": decided.anchors[0], "right": decided.anchors[1]},
                "n": decided.n,
                "left_out": len(everything) - len(rows),
                "unread": unread(stores.golden, version, Partition.SEALED, modality),
                "unjudged": sorted({row.policy_id for row in rows} - decided.policies),
                "stale": stale.total(),
                "beside": {"challenger": challenger.beside(), "champion": champion.beside()},
            }
        )

    told = door.ask(challenger, version, question, compute)
    return _write(stores.gates, told, contest.secret)


def _origin(rows: Sequence[GoldenItem], version: str) -> Origin:
    """Of every figure of the verdict. Its items are counted where they would be named."""
    licence = UNWEIGHTED if all(row.pi is not None for row in rows) else PURPOSIVE
    versions = versions_of((row.policy_id, row.policy_version) for row in rows)
    return Origin(licence, version, versions, GoldAsked(version, Partition.SEALED, judging=True).link())


def _met(challenger: Contender, champion: Contender) -> str:
    """The modality that both read. Raises Conflict where there is none, or one would meet itself."""
    if challenger.model_id == champion.model_id:
        raise Conflict(f"model {challenger.model_id!r} is the champion itself; name a challenger")
    modality = _shared(challenger.modality, champion.modality)
    if modality is None:
        raise Conflict(
            f"{challenger.model_id!r} reads {challenger.modality} items and {champion.model_id!r} {champion.modality} "
            "items; name a champion that reads the same"
        )
    return modality


def _shared(one: str, other: str) -> str | None:
    """The modality that both read; None where there is none."""
    if ANY in (one, other):
        return other if one == ANY else one
    return one if one == other else None


@dataclass(frozen=True, slots=True)
class _Decided:
    n: int
    policies: set[str]
    anchors: tuple[int, int]


def _lacking(
    rows: Sequence[GoldenItem], policies: Collection[str], stale: Mapping[str, int], least: int
) -> dict[str, str]:
    """Policies that both judge and of which what is left of sealed gold is of one kind, or nothing, since the rest is
    stale. Of fewer than ``least`` rows it is not told whether they are alike; that they are few, the ruling says."""
    counts = Counter(row.policy_id for row in rows)
    found = shortfalls(rows, (counts.keys() | stale.keys()).intersection(policies), least=0)
    return {policy: why for policy, why in found.items() if not 0 < counts[policy] < least}


def _judge(
    contest: Contest, rows: Sequence[GoldenItem], anchors: Sequence[GoldenItem], lacking: Mapping[str, str]
) -> tuple[Ruling, _Decided]:
    """Pairs are the rows that both say something about."""
    sides = [decide(who, rows) for who in (contest.champion, contest.challenger)]
    right = [dict(zip(map(_key, side.rows), side.right.tolist(), strict=True)) for side in sides]
    both = [row for row in rows if all(_key(row) in told for told in right)]
    if not both:
        raise NothingToDo("the two models judge no policy in common that sealed items are for")
    first, second = (np.array([told[_key(row)] for row in both], bool) for told in right)
    known = [row for row in anchors if row.policy_id in contest.challenger.thresholds]  # a policy may be given up
    checked = decide(contest.challenger, known).right if known else np.zeros(0, bool)
    asked = len(known), int(checked.sum())
    ruling = rule(both, first, second, asked, contest.terms, lacking)
    return ruling, _Decided(len(both), {row.policy_id for row in both}, asked)


def _write(gates: Gates, told: Json, secret: str) -> Json:
    """Append the verdict unless it is there: a crash after the question was answered must not lose it."""
    passing = ("is_repeat", "budget_left")
    body = {name: value for name, value in told.items() if name not in passing}
    gate_id = str(body["gate_id"])
    try:
        row = gates.get(gate_id)
    except NotFound:
        row = gates.append(lambda previous: signed(gate_id, body, previous, secret))
    return row.body | {name: told[name] for name in passing} | {"row_hash": row.row_hash, "signed": bool(row.signature)}


def terms_of(terms: Terms) -> Json:
    """As a verdict holds them."""
    margins = {str(severity): margin for severity, margin in sorted(terms.margins.items())}
    return {"margins": margins, "severities": dict(sorted(terms.severities.items())), "least": terms.least}


def rows_digest(rows: Sequence[GoldenItem]) -> str:
    """Which rows judged, as one hash."""
    return hashlib.sha256(canonical(sorted(map(_key, rows))).encode()).hexdigest()


def _key(row: GoldenItem) -> tuple[str, str]:
    return row.item_id, row.policy_id
