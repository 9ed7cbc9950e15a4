"""What the steps of the jobs do for the people of the roster: hand out, and look at what injections say."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import structlog

from api.composition import Goldfold
from configs.settings import Settings
from labeling.assign import AssignRules
from labeling.consensus import Widening
from labeling.handout import hand_out as hand_out_
from labeling.handout import has_roster
from labeling.injections import close_answered, pause_flagged, report, resting
from labeling.round_costs import Costs
from labeling.widening import RoundBudget

Json = dict[str, Any]

log = structlog.get_logger(__name__)


def hand_out(goldfold: Goldfold) -> Json:
    """Give the open questions to the people of the roster; nothing where there is none. ``problems`` say what found
    nobody."""
    ledger, given, now = goldfold.ledger, goldfold.settings, datetime.now(UTC)
    if not has_roster(ledger.people):
        return {"copies": 0, "injections": 0, "released": 0, "problems": []}
    done = hand_out_(
        ledger,
        goldfold.lake,
        goldfold.policies,
        assign_rules(given),
        Costs(),
        now,
        given.exposure_zone,
        resting=resting(ledger, now, given.injection_rest_days) if given.injection_rate else (),
        earlier={(v.policy_id, v.version) for history in goldfold.shelf.shelf.histories.values() for v in history},
    )
    told = {key: value for key, value in asdict(done).items() if key != "unplaced"}
    return {**told, "problems": [f"{n} copies found nobody: {reason}" for reason, n in done.unplaced.items()]}


def injections(goldfold: Goldfold) -> Json:
    """Close the injections that were answered, and pause whom they flag where the setting says so. Who it was is for
    the roster, and for leads, to tell."""
    closed = close_answered(goldfold.ledger)
    paused = pause_flagged(goldfold.ledger, report(goldfold.ledger)) if goldfold.settings.injection_pause else []
    if paused:
        log.warning("people_paused", people=len(paused), see="goldfold injections")
    return {"closed": closed, "paused": len(paused)}


def more_people(goldfold: Goldfold) -> RoundBudget | None:
    """Whether and when settling may have one more person asked."""
    ledger, given = goldfold.ledger, goldfold.settings
    on = {"always": True, "never": False, "roster": has_roster(ledger.people)}[given.adaptive_overlap]
    rules = Widening(given.max_overlap, given.model_sure)
    return RoundBudget(ledger, goldfold.lake, rules, given.extra_share) if on else None


def assign_rules(given: Settings) -> AssignRules:
    """The settings' bounds on what people are given."""
    return AssignRules(
        daily_exposure=given.daily_exposure,
        severe_in_row=given.severe_in_row,
        severe_units=given.severe_units,
        mild_units=given.mild_units,
        injection_rate=given.injection_rate,
    )
