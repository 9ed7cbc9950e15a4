"""The figures of the register (``api.console.kpis``), read off the rooms that compute them and laid out alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api import root_causes, signals, today
from api.composition import Goldfold
from api.console.formats import policy as named
from api.coverage import read_coverage
from api.daily_qa import report_day
from api.injections import injections_told
from labeling.errors import NothingToDo
from labeling.golden.newest import newest_name
from labeling.golden.stale import stale_shares
from labeling.insights.qa_report import INSUFFICIENT
from labeling.insights.waiting import ages
from labeling.judging.operating import own_thresholds
from labeling.judging.population import population_figures
from labeling.model_records import Model
from labeling.training import CALIBRATION
from labeling.yields import yields
from selection.errors import NoLicence

WEEKS = 12
SAMPLE = 20_000  # texts that coverage looks at
FIGURE = ("value", "low", "high", "n", "verdict")
ORIGIN = ("licence", "golden_version", "policy_version", "items")
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure: what it is of, ``told`` as the macro ``figure`` takes it, and whether it is a share."""

    label: str
    told: dict[str, Any]
    form: str = "number"


def accuracy(goldfold: Goldfold) -> list[Shown]:
    """Of each project, on the newest sampled day."""
    report = _newest_day(goldfold)
    return [_shown(f"{one['project']}, {report['day']}", one["accuracy"], form="share") for one in report["projects"]]


def errors(goldfold: Goldfold) -> list[Shown]:
    """Of each project by type, on the newest sampled day."""
    report = _newest_day(goldfold)
    return [
        _shown(f"{one['project']}: {error}, {report['day']}", told, form="share")
        for one in report["projects"]
        for error, told in one["errors"].items()
    ]


def below_target(goldfold: Goldfold) -> list[Shown]:
    """Of each project, on the newest sampled day."""
    report = _newest_day(goldfold)
    return [
        _shown(
            f"{one['project']} below {one['target']:.0%}, {report['day']}",
            {"value": one["below_target"], "n": one["judged"], "verdict": INSUFFICIENT},
            one["accuracy"],
            form="share",
        )
        for one in report["projects"]
    ]


def weekly(goldfold: Goldfold) -> list[Shown]:
    """Over all projects."""
    told = signals.series(goldfold, None, WEEKS)
    found = [
        _shown(f"week of {one['from']}", one["accuracy"], one, told, {"items": "/v1/kpi/series"}, form="share")
        for one in told["weeks"]
        if one["accuracy"]["n"]
    ]
    if not found:
        raise NothingToDo(f"nothing was judged again in the last {WEEKS} weeks: goldfold qa sample draws some")
    return found


def recall(goldfold: Goldfold) -> list[Shown]:
    """In items."""
    told, items = signals.intercepted(goldfold, None), {"items": "/v1/interception"}
    return [
        _shown(f"{named(one['policy'])}, S{one['severity']}", one["recall"]["items"], one, told, items, form="share")
        for one in told["slices"]
    ]


def overturns(goldfold: Goldfold) -> list[Shown]:
    """How the share of appeals that are granted changed, by project."""
    told = signals.alarm(goldfold, None, signals.WEEKS)
    return [
        _shown(
            f"overturned appeals, {one['project'] or 'all projects'}: {one['state']}",
            {"verdict": INSUFFICIENT, **one["overturns"]},
            form="share",
        )
        for one in told["projects"]
    ]


def agreement(goldfold: Goldfold) -> list[Shown]:
    """On the outcome, over all policies and by policy."""
    cells: Any = goldfold.agreements().as_dict()["cells"]
    return [
        _shown(
            named(cell["policy"] or "all policies"), cell["outcome"]["alpha"], cell, _sample(goldfold, "/v1/agreement")
        )
        for cell in cells
        if not cell["language"] and not cell["rule_id"]
    ]


def injections(goldfold: Goldfold) -> list[Shown]:
    """By everybody together; nobody is named."""
    told = injections_told(goldfold)
    if not told["answered"]:
        raise NothingToDo("no injection was answered yet: set injection_rate, and publish anchors")
    origin = _sample(goldfold, "/v1/injections")
    return [_shown("injections", told["meter"]["injected"], origin, form="share")]


def coding(goldfold: Goldfold) -> list[Shown]:
    """Over areas, and over codes."""
    told, origin = root_causes.agreement(goldfold), _sample(goldfold, "/v1/findings")
    return [_shown(name, told[name]["alpha"], origin) for name in ("area", "code")]


def model(goldfold: Goldfold) -> list[Shown]:
    """The champion's, by policy."""
    champion = _champion(goldfold)
    found = [
        _shown(f"{named(policy)}: {name}", told[name], told, {"items": f"/v1/models/{champion.model_id}"}, form=form)
        for policy, told in _of(champion, "policies").items()
        if told["n"]
        for name, form in (("precision", "share"), ("recall", "share"), ("auprc", "number"))
    ]
    if not found:
        raise NothingToDo(f"model {champion.model_id!r} was not judged yet: run goldfold evaluate")
    return found


def miss_bound(goldfold: Goldfold) -> list[Shown]:
    """Of each policy for which the champion has a line of its own."""
    champion = _champion(goldfold)
    found = [
        _shown(
            f"{named(policy)}: {told['rule']} under {told['target']:.0%}, at {told['threshold']:.3f}",
            {**told, "value": told["bound"]},
            {"items": f"/v1/models/{champion.model_id}"},
            form="share",
        )
        for policy, told in own_thresholds(champion).items()
    ]
    if not found:
        raise NothingToDo(f"model {champion.model_id!r} has no threshold of its own: run goldfold threshold")
    return found


def gate(goldfold: Goldfold) -> list[Shown]:
    """The newest verdict's slices: by how much the challenger's share of right decisions is higher."""
    rows = goldfold.ledger.gates.all()
    if not rows:
        raise NothingToDo("the gate has not ruled yet: run goldfold gate")
    body: Any = rows[-1].body
    origin = {"golden_version": body["golden"]["version"], "licence": "sample: sealed answers"}
    items = {"items": f"/v1/gates/{rows[-1].gate_id}"}
    return [
        _shown(
            f"{one['name']}: {one['verdict']} (the challenger's share of right decisions)",
            {"value": one["challenger_right"], "n": one["n"], "verdict": one["verdict"]},
            origin,
            items,
            form="share",
        )
        for one in body["slices"]
    ]


def prevalence(goldfold: Goldfold) -> list[Shown]:
    """Of the newest round whose picks all have a probability."""
    for one in reversed(goldfold.ledger.rounds.all()):
        try:
            told: Any = population_figures(goldfold.ledger, [one])
        except (NoLicence, NothingToDo):
            continue
        items = {"items": f"/v1/rounds/{one.round_id}/picks"}
        return [
            _shown(f"{named(policy)}, round {one.round_id}", cell["prevalence"], items, form="share")
            for policy, cell in told["policies"].items()
        ]
    raise NothingToDo("no round of lanes of chance alone has answers yet: run one with the lanes random and risk")


def lanes(goldfold: Goldfold) -> list[Shown]:
    """Of all closed rounds, over all policies."""
    told, origin = yields(goldfold.ledger).as_dict(), _sample(goldfold, "/v1/yield")
    rows: Any = told["lanes"]
    return [
        _shown(f"{one['lane']}: violating", one["violating"], origin, form="share") for one in rows if not one["policy"]
    ]


def covered(goldfold: Goldfold) -> list[Shown]:
    """All traffic, and what is risky."""
    told = read_coverage(goldfold, sample=SAMPLE)
    return [_shown(name, told[key], form="share") for name, key in (("all traffic", "near"), ("risky", "near_risky"))]


def stale(goldfold: Goldfold) -> list[Shown]:
    """By policy; those without stale gold are left out."""
    golden = goldfold.ledger.golden
    found = stale_shares(golden.items())
    if not found:
        raise NothingToDo("no label is stale: no change of a policy has touched one that was not given again")
    newest = {policy.id: f"{policy.id} {policy.version}" for policy in goldfold.policies.values()}
    return [
        _shown(
            named(share.policy_id),
            {"value": share.share, "n": share.stale + share.active, "licence": "counted"},
            {"golden_version": newest_name(golden), "policy_version": newest.get(share.policy_id)},
            {"items": f"/v1/policies/{share.policy_id}/stale"},
            form="share",
        )
        for share in found
    ]


def drift(goldfold: Goldfold) -> list[Shown]:
    """The champion's, by policy."""
    told = goldfold.drift()
    return [
        _shown(
            f"{named(policy)}: PSI",
            {**cell["all"], "value": cell["all"]["psi"], "n": cell["all"]["n_current"]},
            {"licence": "counted", "items": f"/v1/models/{told['model_id']}/drift"},
        )
        for policy, cell in told["policies"].items()
    ]


def exposure(goldfold: Goldfold) -> list[Shown]:
    """How many people, of all who are active."""
    told = today.people(goldfold)["exposure"]
    if not told["people"]:
        raise NothingToDo(
            "there is no roster, so nobody's exposure is bounded: goldfold roster add puts somebody on it"
        )
    figure = {"value": told["over"], "n": told["people"]}
    return [_shown("people over their bound today", figure, _counted(goldfold, "/v1/roster"))]


def adjudication_age(goldfold: Goldfold) -> list[Shown]:
    """The oldest of each policy, in days."""
    told = ages(goldfold.ledger.tasks, datetime.now(UTC))
    if not told["waiting"]:
        raise NothingToDo("no dispute waits for a lead: where answers differ, the next sync asks one")
    origin = _counted(goldfold, "/v1/tasks?kind=adjudication")
    return [
        _shown(
            f"{named(one['policy'])}: days that the oldest waits",
            {"value": one["oldest_days"], "n": one["waiting"]},
            origin,
        )
        for one in told["policies"]
    ]


def calibration(goldfold: Goldfold) -> list[Shown]:
    """The champion's expected calibration error, by policy, where there was enough to fit a map."""
    champion = _champion(goldfold)
    items = {"items": f"/v1/models/{champion.model_id}"}
    found = [
        _shown(f"{named(policy)}: ECE after calibration", told["after"]["ece"], told, _of(champion, CALIBRATION), items)
        for policy, told in _of(champion, CALIBRATION).get("policies", {}).items()
        if "after" in told
    ]
    if not found:
        raise NothingToDo(f"model {champion.model_id!r} has no calibration: run goldfold calibrate")
    return found


def stop_forecast(goldfold: Goldfold) -> list[Shown]:
    """Of 500 more labels, in points of AUPRC."""
    told: Any = yields(goldfold.ledger).as_dict()["forecast"]
    label = f"{told['more']} more labels, in points of AUPRC: {told['reason'] or told['verdict']}"
    return [_shown(label, told, _sample(goldfold, "/v1/yield"))]


def _newest_day(goldfold: Goldfold) -> dict[str, Any]:
    days = goldfold.ledger.decisions.days()
    if not days:
        raise NothingToDo("no day is sampled yet: goldfold qa sample draws one")
    return report_day(goldfold, days[-1].day)


def _champion(goldfold: Goldfold) -> Model:
    champion = goldfold.ledger.models.champion()
    if champion is None:
        raise NothingToDo("there is no champion yet: train a model and promote it")
    return champion


def _of(model_: Model, key: str) -> dict[str, Any]:
    found = model_.metrics.get(key)
    return dict(found) if isinstance(found, Mapping) else {}


def _sample(goldfold: Goldfold, items: str) -> dict[str, str]:
    """Where a figure rests on what people were asked, and on gold as it is now."""
    return {"licence": "sample", "golden_version": newest_name(goldfold.ledger.golden), "items": items}


def _counted(goldfold: Goldfold, items: str) -> dict[str, str]:
    return {**_sample(goldfold, items), "licence": "counted"}


def _shown(label: str, figure: Json, *origins: Json, form: str = "number") -> Shown:
    """A figure; what it does not say of its origin, the first of ``origins`` that does says."""
    told: dict[str, Any] = {name: figure.get(name) for name in FIGURE}
    for name in ORIGIN:
        told[name] = next((found for one in (figure, *origins) if (found := _origin(one, name))), None)
    return Shown(label, told, form)


def _origin(told: Json, name: str) -> str | None:
    found = told.get(name)
    if name == "policy_version" and not found:
        found = ", ".join(told.get("policy_versions") or ())
    return found if isinstance(found, str) else None
