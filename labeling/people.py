"""How good is each person? A page for everybody who answered blind, for a lead and for that very person.

Whether an answer was right is told by a consensus of each policy (``labeling.quality.pooled``): what a lead decided is
known, the rest is as likely as the answers of everybody say, each weighed by how reliable they are. Nobody is ranked:
pages stand by name, and a lead sees intervals without the points inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.blind_answers import BlindAnswer, BlindAnswers, Stores, blind_answers
from labeling.errors import NotFound, NothingToDo
from labeling.figures import Origin, link, versions_of
from labeling.golden.newest import UNPUBLISHED, newest_name
from labeling.quality.confusions import Cell, Rows, shrunk
from labeling.quality.ewma import Chart, chart
from labeling.quality.intervals import Figure
from labeling.quality.pooled import fit
from labeling.quality.speed import Speed, paces, speed
from labeling.quality.votes import F64, Votes
from labeling.records import Outcome
from labeling.store.interfaces import Lake

LICENCE = "sample: items that this person was asked about blind, no population claim"
WHERE, MINE = "/v1/people/items", "/v1/people/me/items"
OUTCOMES = tuple(str(outcome) for outcome in (Outcome.ALLOWED, Outcome.CONTEXT_MISSING, Outcome.VIOLATES))


@dataclass(frozen=True, slots=True)
class Part:
    """A person under one policy in one language ("": all). ``right``: the share of right answers; ``confusion``: for
    each outcome that is true, how often each outcome is said."""

    policy: str
    language: str
    right: Figure
    confusion: dict[str, dict[str, Figure]]


@dataclass(frozen=True, slots=True)
class Page:
    """One person: ``parts`` with all policies together first; ``drift`` of the share of right answers over time;
    ``speed`` of the ``timed`` answers that have a lead time."""

    person: str
    answers: int
    parts: tuple[Part, ...]
    drift: Chart
    speed: Speed
    timed: int
    versions: Mapping[str, str]

    def as_dict(self, golden_version: str, *, points: bool) -> dict[str, object]:
        """JSON-able. ``points``: with the value of each figure, which only that very person sees."""
        where = MINE if points else link(WHERE, person=self.person)
        return Origin(LICENCE, golden_version, ", ".join(self.versions.values()), where).within(
            self._told(golden_version, points=points)
        )

    def _part(self, part: Part, golden_version: str, *, points: bool) -> Origin:
        cut = {"policy": part.policy or None, "language": part.language or None}
        items = link(MINE, **cut) if points else link(WHERE, person=self.person, **cut)
        versions = self.versions.get(part.policy) or ", ".join(self.versions.values())
        return Origin(LICENCE, golden_version, versions, items)

    def _told(self, golden_version: str, *, points: bool) -> dict[str, object]:
        told: Callable[[Figure], dict[str, object]] = Figure.as_dict if points else _interval
        drift = {**self.drift.as_dict(), "figure": told(self.drift.figure)}
        if not points:
            drift.pop("target")
        return {
            "person": self.person,
            "answers": self.answers,
            "parts": [
                self._part(part, golden_version, points=points).within(
                    {
                        "policy": part.policy,
                        "language": part.language,
                        "right": told(part.right),
                        "confusion": {
                            true: {said: told(figure) for said, figure in row.items()}
                            for true, row in part.confusion.items()
                        },
                    }
                )
                for part in self.parts
            ],
            "drift": drift,
            "speed": {"rushed": told(self.speed.rushed), "ratio": told(self.speed.ratio), "timed": self.timed},
        }


@dataclass(frozen=True, slots=True)
class People:
    """``pages`` by name; ``withheld``: answers that are not looked at (``labeling.blind_answers``)."""

    pages: tuple[Page, ...]
    withheld: int
    golden_version: str = UNPUBLISHED

    def as_dict(self) -> dict[str, object]:
        """As a lead sees it: intervals only."""
        pages = [page.as_dict(self.golden_version, points=False) for page in self.pages]
        return {"people": pages, "withheld": self.withheld}


def own_page(found: People, person: str) -> dict[str, object]:
    """The page of one person as that very person sees it, with points. Raises NotFound."""
    return page_of(found, person).as_dict(found.golden_version, points=True)


def people(stores: Stores, lake: Lake) -> People:
    """Everybody who answered a blind task. Raises NothingToDo when nobody has."""
    told = blind_answers(stores, lake)
    if not told.answers:
        raise NothingToDo("nobody has answered a blind task yet: their answers come first (goldfold sync)")
    counts, sizes, right = _counted(told)
    cells = shrunk(counts, sizes)
    own: dict[str, list[int]] = {}
    for i, row in enumerate(told.answers):
        own.setdefault(row.person, []).append(i)
    pace = _paces(told.answers)
    crowd = float(right.mean())
    pages = [_page(person, rows, told.answers, cells, right, crowd, pace) for person, rows in sorted(own.items())]
    return People(tuple(pages), told.withheld, newest_name(stores.golden))


def answered_items(stores: Stores, lake: Lake, person: str, policy: str = "", language: str = "") -> list[str]:
    """The items that a person answered blind and that are told of, sorted."""
    mine = person.strip().casefold()
    return sorted(
        {
            row.item_id
            for row in blind_answers(stores, lake).answers
            if row.person == mine and policy in ("", row.policy_id) and language in ("", row.language)
        }
    )


def page_of(found: People, person: str) -> Page:
    """The page of one person, whose e-mail address is compared without case. Raises NotFound."""
    for page in found.pages:
        if page.person == person.strip().casefold():
            return page
    raise NotFound(f"{person!r} has answered no blind task that is told of; give the address used in Label Studio")


def _counted(told: BlindAnswers) -> tuple[dict[Cell, F64], dict[Cell, int], F64]:
    """Expected confusions and answers of each cell, and (n,) how likely each answer is right."""
    counts: dict[Cell, F64] = {}
    sizes: dict[Cell, int] = {}
    right = np.zeros(len(told.answers))
    for policy in sorted({row.policy_id for row in told.answers}):
        mine = [i for i, row in enumerate(told.answers) if row.policy_id == policy]
        rows = [told.answers[i] for i in mine]
        votes = Votes.of([(row.task_id, row.person, str(row.answer.outcome)) for row in rows], OUTCOMES)
        posterior = fit(votes, told.decided).posterior
        for place, i, row in zip(range(len(mine)), mine, rows, strict=True):
            likely, said = posterior[votes.items[place]], votes.labels[place]  # both are sorted by task and person
            cell = (row.person, policy, row.language)
            counts.setdefault(cell, np.zeros((len(OUTCOMES), len(OUTCOMES))))[:, said] += likely
            sizes[cell] = sizes.get(cell, 0) + 1
            right[i] = likely[said]
    return counts, sizes, right


def _paces(answers: Sequence[BlindAnswer]) -> dict[int, F64]:
    """By row: the pace of each answer that has a lead time."""
    timed = [(i, row.lead_time_s) for i, row in enumerate(answers) if row.lead_time_s is not None]
    timed = [(i, seconds) for i, seconds in timed if seconds > 0]
    told = paces([seconds for _, seconds in timed], [answers[i].length for i, _ in timed])
    return {i: told[place] for place, (i, _) in enumerate(timed)}


def _page(
    person: str,
    rows: Sequence[int],
    answers: Sequence[BlindAnswer],
    cells: dict[Cell, Rows],
    right: F64,
    crowd: float,
    pace: dict[int, F64],
) -> Page:
    in_time = sorted(rows, key=lambda i: (answers[i].at, answers[i].task_id))
    timed = [pace[i] for i in rows if i in pace]
    mine = sorted(cell for cell in cells if cell[0] == person)
    return Page(
        person=person,
        answers=len(rows),
        parts=tuple(_part(cell, cells[cell]) for cell in mine),
        drift=chart([float(right[i]) for i in in_time], crowd),
        speed=speed(np.array(timed).reshape(len(timed), 2)),
        timed=len(timed),
        versions=_versions([answers[i] for i in rows]),
    )


def _versions(rows: Sequence[BlindAnswer]) -> dict[str, str]:
    """By policy, the policy and versions that were answered under."""
    return {
        policy: versions_of((row.policy_id, row.policy_version) for row in rows if row.policy_id == policy)
        for policy in sorted({row.policy_id for row in rows})
    }


def _part(cell: Cell, rows: Rows) -> Part:
    confusion = {
        true: {said: rows.share(k, label) for label, said in enumerate(OUTCOMES)} for k, true in enumerate(OUTCOMES)
    }
    return Part(cell[1], cell[2], rows.right(), confusion)


def _interval(figure: Figure) -> dict[str, object]:
    """What a lead sees of a figure: no point, and no count of events that would give it."""
    return {key: value for key, value in figure.as_dict().items() if key != "events"} | {"value": None}
