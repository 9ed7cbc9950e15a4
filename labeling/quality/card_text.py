"""A pattern in plain words: what is taken for what, where, how often, with what it moves, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labeling.decision_records import ErrorType
from labeling.quality.attribution import Attribution, Culprit
from labeling.quality.intervals import Figure
from labeling.quality.judged import TECHNICAL

# The two-level codes of root causes that fit, and what is usually done.
ACTIONS: Mapping[Culprit, tuple[str, str]] = {
    Culprit.PERSON: ("R reviewer", "coach this person with the examples below"),
    Culprit.CONTENT: ("P policy, or G guideline: no example", "say in the policy what holds here, and add an example"),
    Culprit.LANGUAGE: ("G guideline: translation", "have the guide for this language looked through"),
    Culprit.TEAM: ("G guideline: local practice", "hold a calibration session with this team"),
    Culprit.SHIFT: ("R reviewer: fatigue, or speed", "look at the load and the staffing of this shift"),
    Culprit.TOOL: ("T tool", "have this tool or queue repaired, and decide again what went through it"),
    Culprit.MODEL: ("M model", "look at this model's threshold and calibration"),
    Culprit.AGENT: ("A agent: prompt", "change this agent's prompt, and replay gold through it"),
    Culprit.EVERYONE: ("P policy: outdated, gap or conflict", "change the policy text and tell everybody"),
    Culprit.UNKNOWN: ("not coded", "read the examples; a larger sample of such decisions would tell"),
}
_WHO = {
    Culprit.PERSON: "the person {level}",
    Culprit.CONTENT: "content like {level}",
    Culprit.LANGUAGE: "the language {level}",
    Culprit.TEAM: "the team {level}",
    Culprit.SHIFT: "the shift {level}",
    Culprit.TOOL: "the tool {level}",
    Culprit.MODEL: "the model {level} alone",
    Culprit.AGENT: "the agent {level} alone",
    Culprit.EVERYONE: "everybody",
}
_ERRORS = {
    ErrorType.OVER: "too much is enforced",
    ErrorType.UNDER: "too little is enforced",
    ErrorType.WRONG_SELECTION: "the wrong answer of the right kind",
    ErrorType.TECHNICAL: "a technical error",
    None: "errors of several types",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a card is made of. ``gold``, ``given``: labels, "": any. ``cluster``: the item that content is like;
    ``cohort`` and ``level``: who or where; "": any. ``deff``: by how much counts were divided for p."""

    gold: str
    given: str
    error: ErrorType | None
    cluster: str
    cohort: str
    level: str
    rate: Figure
    other: Figure
    lift: float | None
    p: float
    q: float
    tests: int
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class Card:
    """``title`` names the pattern, ``lines`` say it in full sentences; ``cause`` the codes that fit, ``action`` what to
    do."""

    title: str
    lines: tuple[str, ...]
    cause: str
    action: str


def card(told: Told, *, points: bool = True) -> Card:
    """``points``: with shares and counts of errors; without them where a single person is spoken of to a lead."""
    culprit = told.attribution.culprit
    cause, action = ACTIONS[culprit]
    return Card(title(told), (_rate(told, points), _chance(told, points), _verdict(told)), cause, action)


def title(told: Told) -> str:
    """What is taken for what, and where."""
    return f"{_what(told)}, {_where(told)}"


def _what(told: Told) -> str:
    gold = told.gold or "any label"
    if told.given == TECHNICAL:
        return f"{gold} is lost to a technical error"
    return f"{gold} is taken for {told.given or 'another'}"


def _where(told: Told) -> str:
    cohort = {
        "person": "by {}",
        "team": "in team {}",
        "language": "in language {}",
        "shift": "on shift {}",
        "tool": "in tool {}",
        "model": "by model {}",
        "agent": "by agent {}",
    }.get(told.cohort, "whoever decides").format(told.level)
    return f"{cohort}, in content like {told.cluster}" if told.cluster else cohort


def _rate(told: Told, points: bool) -> str:
    kind = _ERRORS[told.error]
    rest = "decisions of other gold" if not told.cluster and not told.cohort else "such decisions elsewhere"
    if not points:
        return (
            f"Of {told.rate.n:,} decisions between {told.rate.low:.0%} and {told.rate.high:.0%} are wrong so ({kind}); "
            f"of {told.other.n:,} {rest} between {told.other.low:.0%} and {told.other.high:.0%} are."
        )
    return (
        f"{told.rate.events:,} of {told.rate.n:,} decisions are wrong so ({kind}; {_share(told.rate)}); "
        f"of {rest} {told.other.events:,} of {told.other.n:,} are ({_share(told.other)})."
    )


def _chance(told: Told, points: bool) -> str:
    times = f"That is {told.lift:.1f} times as often. " if points and told.lift is not None else ""
    return (
        f"{times}By chance it comes so far with p = {told.p:.1e}; among {told.tests:,} places that were looked at, "
        f"{told.q:.1e} of such finds would be false."
    )


def _verdict(told: Told) -> str:
    found = told.attribution
    if found.culprit is Culprit.UNKNOWN:
        return f"With what it moves cannot be told: {found.reason}."
    return f"It moves with {_WHO[found.culprit].format(level=found.level)}: {found.reason}."


def _share(figure: Figure) -> str:
    return f"95 % interval {figure.low:.1%} to {figure.high:.1%}"
