"""A round that asks about an alert: its items, in the lane ``watch``.

Nothing is chosen by a model: of the alert's items that nobody was asked about under the policy, one a content, as many
as the budget says are drawn by a hash. ``pi`` is null all the same: the alert itself was chosen for standing out, so no
figure for traffic may rest on these picks. The reason says what was drawn of how many.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from labeling.errors import NothingToDo
from labeling.insights.trend_records import TrendAlert, Trends
from labeling.policies import Policy
from labeling.policy_rounds import Stores, open_up, plan_for, write_round
from labeling.purposes import WATCH
from labeling.records import PickRow, Round, RoundState
from labeling.scorebook import LakeScorer, read_sheet
from labeling.store.interfaces import Lake, Rounds

UNSURE = 0.5
SEED = 0  # the draw is by the alert's id


class WatchStores(Stores, Protocol):
    """The part of the ledger that a watch round needs."""

    @property
    def trends(self) -> Trends: ...


def watchable(stores: WatchStores, lake: Lake, alert: TrendAlert, policy: Policy) -> list[str]:
    """The alert's items that may be asked about under the policy, one a content, in the order of the draw."""
    there = stores.items.by_id(alert.item_ids)
    judged = stores.rounds.judged()
    free = [i for i in alert.item_ids if i in there and (i, policy.id) not in judged]
    rows = lake.take(free, ["content_hash", "modality", "policies"]).to_pylist() if free else []
    texts = [r for r in rows if r["modality"] == "text" and (not r["policies"] or policy.id in r["policies"])]
    texts.sort(key=lambda row: hashlib.sha256(f"{alert.alert_id}/{row['item_id']}".encode()).digest())
    first = {row["content_hash"]: row["item_id"] for row in reversed(texts)}
    return [row["item_id"] for row in texts if first[row["content_hash"]] == row["item_id"]]


def open_watch(
    stores: WatchStores,
    lake: Lake,
    scorer: LakeScorer,
    alert_id: str,
    policy: Policy,
    *,
    budget: int,
    overlap: int,
    actor: str,
) -> Round:
    """Open a round over at most ``budget`` of the alert's items; the next sync sends its tasks. Called again for the
    same alert it returns the round that is there. Raises NotFound, NothingToDo when nobody can be asked about any of
    it."""
    alert = stores.trends.get(alert_id)
    if alert.round_id:
        return stores.rounds.get(alert.round_id)
    round_id = f"watch-{alert_id}"
    if _is_selected(stores.rounds, round_id):  # by a process that was killed
        open_up(stores.rounds, round_id)
        stores.trends.watch(alert_id, round_id, actor)
        return stores.rounds.get(round_id)
    ids = watchable(stores, lake, alert, policy)
    if not ids:
        raise NothingToDo(f"alert {alert_id!r}: every text of it was asked about under {policy.id} already, or is gone")
    picks = _picks(lake, scorer, round_id, policy, ids, min(budget, len(ids)), alert)
    plan = plan_for(WATCH, policy, WATCH, len(picks), overlap, alert=alert_id)
    frame: dict[str, object] = {"alert": alert_id, "items": len(alert.item_ids), "askable": len(ids)}
    notes = [f"{len(picks)} of {len(ids)} askable items of alert {alert_id}, drawn by chance; none speaks for traffic"]
    made = write_round(stores, lake, round_id, SEED, plan, picks, frame, notes, scorer.version)
    stores.trends.watch(alert_id, round_id, actor)
    return made


def _is_selected(rounds: Rounds, round_id: str) -> bool:
    return any(one.round_id == round_id and one.state is not RoundState.PLANNED for one in rounds.all())


def _picks(
    lake: Lake, scorer: LakeScorer, round_id: str, policy: Policy, ids: list[str], n: int, alert: TrendAlert
) -> list[PickRow]:
    chosen = ids[:n]
    sheet = read_sheet(lake, scorer, chosen)
    column = sheet.policies.index(policy.id) if policy.id in sheet.policies else None
    scores = {} if column is None else dict(zip(sheet.ids, sheet.probabilities[:, column].tolist(), strict=True))
    reason = f"{WATCH}: {alert.body['kind']} of alert {alert.alert_id}, {n} of {len(ids)} drawn by chance"
    return [PickRow(round_id, i, policy.id, WATCH, None, scores.get(i, UNSURE), i, (reason,)) for i in sorted(chosen)]
