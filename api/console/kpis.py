"""The register of figures: what each says, by which formula, who computes it, what it may be read as, where it stands.

Formulas and sources are those of the functions named, whose docstrings hold the whole of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from api.auth import Role
from api.composition import Goldfold
from api.console import kpi_figures as figures
from api.console.kpi_figures import Shown
from labeling.errors import NotFound


@dataclass(frozen=True, slots=True)
class Kpi:
    """``function``: the dotted name of what computes it; ``page``: where the console shows it; ``address``: the route
    that tells it with its items; ``role``: who may see the figure; ``read``: the figures as they stand. ``read`` raises
    a LabelingError that says why there is none. ``events``: actions of the audit trail that change it."""

    kpi_id: str
    name: str
    what: str
    formula: str
    source: str
    function: str
    licence: str
    page: str
    address: str
    role: Role
    read: Callable[[Goldfold], list[Shown]]
    events: tuple[str, ...]


QA = ("qa.sample", "objection.answer", "decisions.rename", "policy.publish", "golden.quarantined")
REGISTER = (
    Kpi(
        "accuracy",
        "Accuracy of decisions",
        "Of a project's decisions of a day, the share that a blind re-review agrees with.",
        "sum(W_h r_h / n_h), W_h = N_h / N; Wilson's interval on n over the design effect, Clopper and Pearson's where "
        "all or none are right",
        "Cochran 1977, 5.3; Korn and Graubard 1998",
        "labeling.quality.qa_accuracy.stratified",
        "population: the project's decisions of the day",
        "/console/quality",
        "/v1/qa",
        Role.VIEWER,
        figures.accuracy,
        QA,
    ),
    Kpi(
        "errors",
        "Errors by type",
        "Of the same decisions, those wrong by over- or under-enforcement, wrong selection or a technical slip.",
        "as accuracy, with the errors of one type as events",
        "Cochran 1977, 5.3",
        "labeling.insights.qa_report.qa_report",
        "population: the project's decisions of the day",
        "/console/quality",
        "/v1/qa",
        Role.VIEWER,
        figures.errors,
        QA,
    ),
    Kpi(
        "below-target",
        "Probability of being below target",
        "How likely a project's accuracy lies below what it is held to.",
        "P(X < target), X ~ Beta(r + 1/2, n - r + 1/2), r and n effective",
        "Brown, Cai and DasGupta 2001; Franco, Little, Louis and Slud 2019",
        "labeling.quality.qa_accuracy.Share.below",
        "population: the project's decisions of the day",
        "/console/today",
        "/v1/qa",
        Role.VIEWER,
        figures.below_target,
        QA,
    ),
    Kpi(
        "weekly-accuracy",
        "Accuracy by week, and why it changed",
        "Accuracy over whole weeks; its change as mix, within, gold relabel and policy break, which add up to it.",
        "mix = sum((W1 - W0)(e0 + e1) / 2); within = sum((e1 - e0)(W0 + W1) / 2)",
        "Kitagawa 1955",
        "labeling.quality.kpi_split.split_kpi",
        "population: sampled decisions of the period",
        "/console/quality",
        "/v1/kpi/series",
        Role.LEAD,
        figures.weekly,
        QA,
    ),
    Kpi(
        "interception",
        "Interception recall",
        "Of the items that violate, the share that was removed, by policy and severity.",
        "removed and violating / all violating, from audits of both sides, each stratum by its own probability",
        "exact bounds at Bonferroni's level; the floor takes that of a stratum in which nothing was found",
        "labeling.quality.audits.recall_of",
        "population: items decided about on sampled days",
        "/console/interception",
        "/v1/interception",
        Role.LEAD,
        figures.recall,
        (*QA, "item.legal_stop"),
    ),
    Kpi(
        "common-mode",
        "Common-mode alarm",
        "Whether appeals or reports move while internal QA sees nothing.",
        "QA flat (Newcombe holds 0 or lies within .02), and overturned / decided appeals or reports / decisions rise",
        "Newcombe 1998, method 10; Przyborowski and Wilenski 1940",
        "labeling.quality.common_mode.common_mode",
        "accuracy: population; appeals and reports: what came in",
        "/console/interception",
        "/v1/signals/alarm",
        Role.LEAD,
        figures.overturns,
        QA,
    ),
    Kpi(
        "agreement",
        "Agreement of people",
        "How far people who answer apart say the same, beyond chance.",
        "alpha = 1 - Do / De, over all pairs of answers to an item; bootstrap interval",
        "Krippendorff 2004, ch. 11; beside it Gwet's AC1, 2008",
        "labeling.quality.agreement.krippendorff",
        "sample: the items that were asked about",
        "/console/quality",
        "/v1/agreement",
        Role.VIEWER,
        figures.agreement,
        ("policy.publish",),
    ),
    Kpi(
        "injections",
        "Injections answered rightly",
        "Of anchors that came back as ordinary work, the share answered rightly, by all people together.",
        "right / answered; Wilson's interval. A person is flagged by Wald's sequential test",
        "Wilson 1927; Wald 1945",
        "labeling.injections.meter",
        "sample: anchors, which may be clearer than other work",
        "/console/quality",
        "/v1/injections",
        Role.LEAD,
        figures.injections,
        ("golden.promoted", "golden.demoted", "roster.resume"),
    ),
    Kpi(
        "coding",
        "Agreement on root causes",
        "How far a first and a second coder name the same cause of a finding.",
        "alpha over areas, and over codes",
        "Krippendorff 2004, ch. 11",
        "labeling.insights.causes.coding_agreement",
        "sample: findings that were coded twice",
        "/console/quality",
        "/v1/findings/agreement",
        Role.LEAD,
        figures.coding,
        ("finding.open", "finding.code"),
    ),
    Kpi(
        "model",
        "Precision, recall and AUPRC of the champion",
        "How the champion decides golden items of the partition dev, under the thresholds it was judged at.",
        "TP / (TP + FP), TP / (TP + FN), average precision; exact or Wilson's intervals, bootstrap by group",
        "Clopper and Pearson 1934; Wilson 1927",
        "labeling.quality.evaluation.evaluate",
        "sample, unless all picks were drawn with known probability",
        "/console/models",
        "/v1/models",
        Role.VIEWER,
        figures.model,
        ("model",),
    ),
    Kpi(
        "miss-bound",
        "Bound on what a threshold misses",
        "The share of violating items below the champion's threshold is under this, with 95 % confidence.",
        "the largest threshold whose exact one-sided upper bound on the miss rate is under the target",
        "Bates et al. 2021; Angelopoulos et al. 2021",
        "labeling.quality.risk.miss_rate_line",
        "sample, unless all picks were drawn with known probability",
        "/console/models",
        "/v1/models",
        Role.VIEWER,
        figures.miss_bound,
        ("model",),
    ),
    Kpi(
        "gate",
        "The gate's verdict",
        "Whether a challenger is not worse than the champion on sealed answers, in each slice.",
        "not worse: lower by the margin or more is rejected; worse: McNemar's exact test under Holm's adjustment",
        "Nam 1997; McNemar 1947; Holm 1979; Berger 1982",
        "labeling.judging.gate.rule",
        "sample: sealed answers, asked within a budget",
        "/console/models",
        "/v1/gates",
        Role.VIEWER,
        figures.gate,
        ("model.promote", "model.rollback"),
    ),
    Kpi(
        "prevalence",
        "Prevalence",
        "Of all traffic of a round's frame, the share that violates.",
        "sum(y / pi) / sum(1 / pi) over picks with known probability",
        "Hajek's estimator; the interval by the effective n",
        "labeling.judging.population.population_figures",
        "population: all traffic of the round's frame",
        "/console/rounds",
        "/v1/population",
        Role.VIEWER,
        figures.prevalence,
        ("round", "policy.publish"),
    ),
    Kpi(
        "yield",
        "Yield of lanes",
        "Of a lane's settled picks, the share that violates, and that the model had wrong.",
        "events / settled; Wilson's interval; lift beside the random arm",
        "Wilson 1927",
        "labeling.yields.yields",
        "sample: the lane's picks, not traffic",
        "/console/rounds",
        "/v1/yield",
        Role.VIEWER,
        figures.lanes,
        ("round",),
    ),
    Kpi(
        "coverage",
        "Coverage",
        "Of all traffic, the share that lies near gold.",
        "items whose nearest golden item has a cosine of .8 or more / items looked at",
        "exact where all are looked at, else Wilson 1927",
        "labeling.insights.coverage.coverage",
        "population: all texts that have a score and an embedding",
        "/console/trends",
        "/v1/coverage",
        Role.LEAD,
        figures.covered,
        ("coverage.round", "model.promote"),
    ),
    Kpi(
        "stale",
        "Stale gold",
        "Of a policy's gold, the share that a change of the policy touched and nobody has labelled again.",
        "stale / (stale + active), counted",
        "a count of all rows, without sampling error",
        "labeling.golden.stale.stale_shares",
        "counted: all rows of the golden set",
        "/console/golden",
        "/v1/policies",
        Role.VIEWER,
        figures.stale,
        ("policy.publish", "policy.relabel"),
    ),
    Kpi(
        "drift",
        "Drift of scores",
        "How far the champion's scores have moved since it was promoted.",
        "PSI = sum((q - p) ln(q / p)) over bins, beside what chance alone gives",
        "the trade's marks, .1 and .25",
        "labeling.drift.drift",
        "counts of the items in the lake",
        "/console/models",
        "/v1/models",
        Role.VIEWER,
        figures.drift,
        ("model.promote", "model.rollback"),
    ),
    Kpi(
        "exposure",
        "Exposure over the bound",
        "How many people saw more harm today than their bound allows. Nobody is named.",
        "units = max(severity weight x probability) x factor of the kind x minutes / reference minutes, each task "
        "once a day; over: units today > the bound",
        "a count; the weights are a convention, not a measurement",
        "labeling.roster.list_people",
        "counted: everybody active on the roster",
        "/console/today",
        "/v1/roster",
        Role.LEAD,
        figures.exposure,
        ("roster",),
    ),
    Kpi(
        "adjudication-age",
        "Age of adjudications",
        "How long the oldest dispute of a policy has waited for a lead, in days.",
        "max(now - asked at) over disputes that no lead has decided; late from 3 days on",
        "a count of all open disputes, without sampling error",
        "labeling.insights.waiting.ages",
        "counted: all open disputes",
        "/console/today",
        "/v1/tasks",
        Role.LEAD,
        figures.adjudication_age,
        ("golden.fold",),
    ),
    Kpi(
        "calibration",
        "Calibration error of the champion",
        "How far the champion's probabilities lie from the shares that violate (ECE), after calibration.",
        "sum over bins of the share of the weight x |mean probability - share that violates|, bins of equal mass, "
        "cross-fitted; bootstrap by group",
        "Naeini et al. 2015; Broecker and Smith 2007 for what chance alone gives",
        "labeling.quality.calibration.calibration_error",
        "sample, unless enough picks were drawn with known probability",
        "/console/models",
        "/v1/models",
        Role.VIEWER,
        figures.calibration,
        ("model.calibrate", "model.promote"),
    ),
    Kpi(
        "stop-forecast",
        "What more labels are worth",
        "How many points of AUPRC 500 more labels are likely to bring; where that is too few, stop.",
        "score = a + b log(labels) by weighted least squares over the newest models, drawn on",
        "a learning curve that never levels off: it errs on the high side",
        "labeling.quality.forecast.forecast",
        "forecast: of models that learn as those before them did",
        "/console/rounds",
        "/v1/yield",
        Role.VIEWER,
        figures.stop_forecast,
        ("round", "model"),
    ),
)


# Figures of rooms whose pages do not say beside each how it is computed: their foot does.
ROOMS = {
    "/console/rounds": ("prevalence", "yield", "stop-forecast"),
    "/console/golden": ("stale", "coverage"),
    "/console/models": ("model", "calibration", "miss-bound", "gate", "drift"),
    "/console/policies": ("stale", "agreement"),
}


def of_room(path: str) -> list[Kpi]:
    """The figures of the room that a page lies in, for its foot."""
    room = "/".join(path.split("/")[:3])
    return [kpi(kpi_id) for kpi_id in ROOMS.get(room, ())]


def kpi(kpi_id: str) -> Kpi:
    """Raises NotFound."""
    for one in REGISTER:
        if one.kpi_id == kpi_id:
            return one
    raise NotFound(f"no figure has the id {kpi_id!r} (known: {', '.join(one.kpi_id for one in REGISTER)})")
