"""What grows in the traffic, and what of it gold lacks: /console/trends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.composition import Goldfold
from api.console.charts import Chart, Series
from api.console.kept import WAIT_S
from api.console.page import Ask, LeadAsk, Page, ViewerAsk
from api.console.series import basis_of, of_figures
from api.coverage import SAMPLES, open_round, read_coverage
from api.trends import alert, plan_watch, ranked, watch, words_of
from labeling.errors import InvalidInput
from labeling.insights.trend_records import AlertState
from labeling.quality.coverage import NEAR
from labeling.quality.emerging import WEIGHTS

router = APIRouter(prefix="/trends")
HOME = "/console/trends"
COVERAGE = f"{HOME}/coverage"
SHOWN = 50  # alerts, items of an alert, or clusters in a page
MOST = 500
CHARTED = 20
SAMPLE = SAMPLES[1]
WORDS = "words"
WORDS_WAIT_S = 60.0  # for words, which are not kept on a page and cannot come later
Budget = Annotated[int, Query(ge=1, le=MOST)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Words = dict[str, list[str]] | None
Json = dict[str, Any]


class WatchForm(BaseModel):
    """Under which policy to ask about an alert's items, and about how many."""

    policy: str = Field("", max_length=100)
    budget: int = Field(20, ge=1, le=MOST)
    show: Literal["", "words"] = ""


class WordsForm(BaseModel):
    """Of how many alerts words are shown."""

    limit: int = Field(SHOWN, ge=1, le=MOST)


class CoverageForm(BaseModel):
    """Under which policy, and at how many items, coverage looks."""

    policy: str = Field("", max_length=100)
    sample: int = SAMPLE


class ClusterForm(BaseModel):
    """What a round over a cluster asks."""

    policy: str = Field("", max_length=100)
    budget: int = Field(20, ge=1, le=MOST)


@router.get("")
def all_alerts(ask: ViewerAsk, limit: Limit = SHOWN) -> Response:
    """The alerts that nobody has looked at by score, then the others: figures, and the test that fired."""
    return ask.show(_alerts(ask, limit, None))


@router.post("")
def alerts_with_words(ask: LeadAsk) -> Response:
    """The same, for leads, with words that tell each alert's texts from the rest; who asked for them is noted."""
    given = ask.typed(WordsForm)
    return ask.show(_alerts(ask, given.limit, _words(ask, given.limit, "trends")))


@router.get("/coverage")
def coverage(ask: LeadAsk, policy: str = "", sample: int = SAMPLE) -> Response:
    """How much of the traffic lies near gold, and the darkest clusters."""
    return ask.show(_coverage(ask, policy, sample, words=False))


@router.post("/coverage")
def coverage_with_words(ask: LeadAsk) -> Response:
    """The same with words of each cluster's texts; who asked for them is noted."""
    given = ask.typed(CoverageForm)
    ask.goldfold.ledger.audit.add(ask.actor, "content.shown", "coverage", {"where": "console", "what": "words"})
    return ask.show(_coverage(ask, given.policy, given.sample, words=True))


@router.get("/coverage/{cluster}")
def plan_cluster(ask: LeadAsk, cluster: str, policy: str = "", budget: Budget = 20) -> Response:
    """What a round over a cluster would ask; nothing is written."""
    goldfold, policies = ask.goldfold, [policy] if policy else []
    plan = ask.kept(
        ("coverage.round", cluster, policy, budget),
        lambda: open_round(goldfold, cluster, ask.actor, budget=budget, policies=policies, dry_run=True),
    )
    found = plan.value.picks if plan.value is not None else ()
    picks = [pick.item_id for pick in found]
    data = {
        "cluster": cluster,
        "shared": [why for why in found[0].reasons if all(why in pick.reasons for pick in found)] if found else [],
        "plan": plan,
        "names": _external(goldfold, picks[:SHOWN]),
        "policy": policy,
        "budget": budget,
        "policies": sorted(goldfold.policies),
        "shown": SHOWN,
        "most": MOST,
    }
    return ask.show(Page("A round over a cluster", "coverage_round.html", data))


@router.post("/coverage/{cluster}")
def open_cluster(ask: LeadAsk, cluster: str) -> Response:
    """Open the round."""
    given = ask.typed(ClusterForm)
    policies = [given.policy] if given.policy else []
    made = open_round(ask.goldfold, cluster, ask.actor, budget=given.budget, policies=policies, dry_run=False)
    return ask.back(f"/console/rounds/{made.round_id}", _opened(len(made.picks)))


@router.get("/{alert_id}")
def one_alert(ask: ViewerAsk, alert_id: str, policy: str = "", budget: Budget = 20, after: str = "") -> Response:
    """One alert: its figures, its items, and for leads what a watch round would ask."""
    return ask.show(_alert(ask, alert_id, policy, budget, after, None))


@router.post("/{alert_id}")
def open_watch(ask: LeadAsk, alert_id: str) -> Response:
    """Open a watch round over an alert's items; or, where that is asked for, show words of them, which is noted."""
    given = ask.typed(WatchForm)
    if given.show == WORDS:
        return ask.show(_alert(ask, alert_id, given.policy, given.budget, "", _words(ask, MOST, alert_id)))
    made = watch(ask.goldfold, alert_id, ask.actor, given.policy, given.budget)
    return ask.back(f"/console/rounds/{made.round_id}", _opened(int(str(made.plan["budget"]))))


def _alerts(ask: Ask, limit: int, words: Words) -> Page:
    found = [_told(one) for one in ranked(ask.goldfold, limit)]
    open_ = sum(one["state"] == AlertState.OPEN for one in found)
    data = {"alerts": found, "open": open_, "limit": limit, "words": words, "weights": WEIGHTS, "most": MOST}
    charts = [_volume(found[:CHARTED]), _parts(found[:CHARTED])] if found else []
    return Page("Trends", "trends.html", {**data, "is_lead": ask.is_lead}, charts=charts)


def _coverage(ask: Ask, policy: str, sample: int, *, words: bool) -> Page:
    goldfold = ask.goldfold
    told = ask.answers.of(
        ("coverage", policy, sample, words),
        lambda: jsonable_encoder(read_coverage(goldfold, policy, NEAR, sample, words=words)),
        WORDS_WAIT_S if words else WAIT_S,
    )
    shown: list[Json] = told.value["clusters"][:SHOWN] if told.value is not None else []
    exemplars = sorted({item_id for cluster in shown for item_id in cluster["exemplars"]})
    data = {
        "coverage": told,
        "names": _external(goldfold, exemplars),
        "policy": policy,
        "sample": sample,
        "words": words,
        "samples": SAMPLES,
        "policies": sorted(goldfold.policies),
        "shown": SHOWN,
    }
    charts = [_ladder(told.value["ladder"]), _dark(shown[:CHARTED])] if told.value is not None else []
    return Page("Coverage", "coverage.html", data, charts=charts)


def _alert(ask: Ask, alert_id: str, policy: str, budget: int, after: str, words: Words) -> Page:
    goldfold = ask.goldfold
    told, behind = _told(alert(goldfold, alert_id)), goldfold.ledger.trends.get(alert_id).item_ids
    items = behind[_place(behind, after) :][: SHOWN + 1]
    names = _external(goldfold, items)
    plan = ask.kept(("watch", alert_id, policy, budget), partial(plan_watch, goldfold, alert_id, policy, budget))
    data = {
        "alert": told,
        "weights": WEIGHTS,
        "count": len(behind),
        "items": [names.get(item_id, "") for item_id in items[:SHOWN]],
        "next": items[SHOWN - 1] if len(items) > SHOWN else "",
        "words": words,
        "plan": plan if ask.is_lead else None,
        "policy": policy,
        "budget": budget,
        "policies": sorted(goldfold.policies),
        "most": MOST,
        "is_lead": ask.is_lead,
    }
    return Page(told["title"], "alert.html", data, charts=[_volume([told]), _parts([told])])


def _told(one: Mapping[str, Any]) -> Json:
    """An alert without the items behind it, which its own page lists."""
    told: Json = jsonable_encoder({name: value for name, value in one.items() if name != "item_ids"})
    return told


def _opened(picks: int) -> str:
    return f"The round is open: {picks} picks. The next sync sends its tasks."


def _words(ask: Ask, limit: int, target: str) -> Words:
    """By alert, words of its texts; that they were asked for is noted. What takes too long is there when it is asked
    for again."""
    goldfold = ask.goldfold
    goldfold.ledger.audit.add(ask.actor, "content.shown", target, {"where": "console", "what": "words"})
    told = ask.answers.of(("trends.words", limit), lambda: words_of(goldfold, limit), WORDS_WAIT_S)
    if told.error is not None:
        raise told.error.with_traceback(None)
    return told.value


def _external(goldfold: Goldfold, item_ids: Iterable[str]) -> dict[str, str]:
    """By item id, the external id of what is there."""
    found = goldfold.ledger.items.by_id(list(item_ids))
    return {item_id: item.external_id for item_id, item in found.items()}


def _place(item_ids: Sequence[str], after: str) -> int:
    if after and after not in item_ids:
        raise InvalidInput("after: is none of the alert's items: begin at the first page")
    return item_ids.index(after) + 1 if after else 0


def _volume(found: Sequence[Mapping[str, Any]]) -> Chart:
    names, bodies = [one["title"] for one in found], [one["body"] for one in found]
    links = [f"{HOME}/{one['alert_id']}" for one in found]
    expected = [body.get("expected") for body in bodies]
    # Where expected days lie; a theme has no such bounds.
    usual = [body.get("usual") or [body.get("expected")] * 2 for body in bodies]
    low, high = [ends[0] for ends in usual], [ends[1] for ends in usual]
    seen = Series("seen", names, [body.get("count") for body in bodies], links=links)
    series = [seen, Series("expected", names, expected, low, high, links=links)]
    caption = (
        "What was seen on the alert's last day against what is usual: the bars hold 95 of 100 such days. The test is "
        "of the last days together, so a point may lie within its bar."
    )
    return Chart("volume", "Volume against the baseline", "points", "alert", "items", series, caption=caption)


def _parts(found: Sequence[Mapping[str, Any]]) -> Chart:
    names = [one["title"] for one in found]
    series = [Series(part, names, [one["body"]["parts"].get(part) for one in found]) for part in WEIGHTS]
    return Chart("parts", "Parts of the score", "bar", "alert", "part, 0 to 1", series, y_range=(0, 1))


def _ladder(rungs: Sequence[Mapping[str, Any]]) -> Chart:
    series = [of_figures("near gold", [rung["cosine"] for rung in rungs], rungs)]
    title, x_title = "Traffic near gold, by how near is meant", "cosine from which on"
    rests = basis_of(rungs)
    return Chart("ladder", title, "line", x_title, "share of items", series, y_range=(0, 1), unit="share", basis=rests)


def _dark(clusters: Sequence[Mapping[str, Any]]) -> Chart:
    names = [one["cluster"].rpartition("-")[2] for one in clusters]
    series = [Series("dark risk", names, [one["dark_risk"] for one in clusters])]
    caption = "The expected number of violating items that lie near no gold; gold that stays secret counts as none."
    return Chart("dark", "The darkest clusters", "bar", "cluster", "risk", series, caption=caption)
