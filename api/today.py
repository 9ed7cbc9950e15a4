"""What waits for a lead this morning, out of the rooms that own the figures. Counts of people, never their names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from api import daily_qa, roster, signals, trends
from api.composition import Goldfold
from api.injections import injections_told
from labeling.golden.newest import newest_name
from labeling.golden.stale import stale_shares
from labeling.insights.qa_report import AT_RISK, BELOW
from labeling.insights.waiting import ages

DAYS = 7  # of production, up to yesterday
ALERTS = 5
Json = dict[str, Any]


def qa(goldfold: Goldfold) -> Json:
    """Of the last ``DAYS`` days: ``due`` ones that have decisions and no sample, ``open`` ones whose sample waits for
    answers, and ``breaches``, projects below their target or at risk, the likeliest first."""
    counted = daily_qa.count_days(goldfold, None, DAYS)
    reports = [daily_qa.report_day(goldfold, one["day"]) for one in counted if one["sampled"]]
    breaches = [
        {"day": report["day"], **project}
        for report in reports
        for project in report["projects"]
        if project["state"] in (BELOW, AT_RISK)
    ]
    return {
        "decisions": sum(one["decisions"] for one in counted),
        "due": [
            {"day": one["day"], "decisions": one["decisions"]}
            for one in counted
            if one["decisions"] and not one["sampled"]
        ],
        "open": [
            {name: report[name] for name in ("day", "sampled", "judged", "waiting")}
            for report in reports
            if report["waiting"]
        ],
        "sampled": len(reports),
        "breaches": sorted(breaches, key=lambda one: -one["below_target"]),
    }


def people(goldfold: Goldfold) -> Json:
    """How many people injections flag, whether injections are recognised, and how many are over their bound of exposure
    today."""
    told = injections_told(goldfold)
    listed = [row for row in roster.rows(goldfold, datetime.now(UTC)) if row["active"]]
    return {
        "injections": {name: told[name] for name in ("rate", "given", "answered", "unjudged", "meter")}
        | {"flagged": len(told["flagged"])},
        "exposure": {
            "people": len(listed),
            "over": sum(row["spent"] > row["cap"] for row in listed),
            "paused": sum(row["paused"] for row in listed),
        },
    }


def gold(goldfold: Goldfold) -> Json:
    """How long questions have waited for a lead, and where in Label Studio the oldest of each policy is decided; which
    policies have stale gold."""
    golden = goldfold.ledger.golden
    shares = stale_shares(golden.items())
    waits = ages(goldfold.ledger.tasks, datetime.now(UTC))
    return {
        "adjudications": waits,
        "where": _where(goldfold, [row["oldest_task"] for row in waits["policies"]]),
        "golden_version": newest_name(golden),
        "stale": [
            {
                "policy": share.policy_id,
                "stale": share.stale,
                "active": share.active,
                "share": share.share,
                "items": f"/v1/policies/{share.policy_id}/stale",
            }
            for share in sorted(shares, key=lambda share: -share.share)
        ],
    }


def alarm(goldfold: Goldfold) -> Json:
    """The common-mode alarm of each project, as ``GET /v1/signals/alarm`` tells it."""
    return signals.alarm(goldfold, None, signals.WEEKS)


def alerts(goldfold: Goldfold) -> Json:
    """The trend alerts of the last weeks that nobody has looked at, the highest score first, with how many there
    are."""
    open_ = trends.open_alerts(goldfold, datetime.now(UTC).date() - timedelta(weeks=signals.WEEKS))
    return {"open": len(open_), "alerts": trends.titled(goldfold, open_[:ALERTS])}


def _where(goldfold: Goldfold, task_ids: Sequence[str]) -> dict[str, str]:
    """By task, its page in Label Studio; those that are not there yet are left out."""
    studio = goldfold.settings.studio_url
    return {
        task_id: f"{studio}/projects/{task.project_id}/data?task={task.studio_task_id}"
        for task_id, task in goldfold.ledger.tasks.find(task_ids).items()
        if task.project_id is not None and task.studio_task_id is not None
    }
