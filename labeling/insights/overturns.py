"""How often appeals are granted, week by week: the series that the common-mode alarm holds against internal QA."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from labeling.figures import Origin
from labeling.golden.newest import newest_name
from labeling.insights.signal_items import DECIDED, Meant
from labeling.insights.weeks import weekly
from labeling.quality.intervals import proportion
from labeling.signal_records import AppealOutcome, SignalKind
from labeling.store.interfaces import Golden
from labeling.store.signal_interface import Signals

LICENCE = "signals: appeals that were decided, which speaks for nobody who kept silent"
Json = dict[str, object]


class Stores(Protocol):
    """The part of the ledger that is read."""

    @property
    def golden(self) -> Golden: ...

    @property
    def signals(self) -> Signals: ...


def weekly_overturns(stores: Stores, last: date, weeks: int, zone: str, project: str = "") -> list[Json]:
    """Of each week's decided appeals the share that was overturned, the oldest week first; JSON-able. An appeal counts
    in the week it was made in. ``project`` "": all of them."""
    told: list[Json] = []
    golden = newest_name(stores.golden)
    for span in weekly(last, weeks, zone):
        found = [one for one in stores.signals.within(span.since, span.until) if project in ("", one.project)]
        decided = [one for one in found if one.is_decided]
        figure = proportion(sum(one.outcome is AppealOutcome.OVERTURNED for one in decided), len(decided))
        items = Meant(span.since, span.until, project or None, SignalKind.APPEAL, DECIDED).link()
        told.append({**span.as_dict(), "overturned": Origin(LICENCE, golden, "", items).of(figure.as_dict())})
    return told
