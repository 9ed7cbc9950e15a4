"""The items behind figures of signals, and the link that names them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from labeling.errors import InvalidInput
from labeling.figures import link
from labeling.insights.sampled_items import moment
from labeling.signal_records import AppealOutcome, Signal, SignalKind
from labeling.store.signal_interface import Signals

WHERE = "/v1/signals/items"
DECIDED = "decided"  # upheld or overturned
OUTCOMES = (DECIDED, *(outcome.value for outcome in AppealOutcome))


@dataclass(frozen=True, slots=True)
class Meant:
    """Which signals are meant: said in [since, until). ``project``: None: of any. ``outcome``: one of ``OUTCOMES``, "":
    any, or none."""

    since: datetime
    until: datetime
    project: str | None = None
    kind: SignalKind | None = None
    outcome: str = ""

    def link(self) -> str:
        """The path that names their items."""
        kind = None if self.kind is None else self.kind.value
        ends = {"since": moment(self.since), "until": moment(self.until)}
        return link(WHERE, **ends, project=self.project, kind=kind, outcome=self.outcome or None)


def signal_items(signals: Signals, meant: Meant) -> list[str]:
    """Their items, sorted; each once. Raises InvalidInput for an outcome that is none."""
    if meant.outcome not in ("", *OUTCOMES):
        raise InvalidInput(f"outcome: {meant.outcome!r} is none of {', '.join(OUTCOMES)}")
    return sorted({one.item_id for one in signals.within(meant.since, meant.until) if _is_meant(one, meant)})


def _is_meant(one: Signal, meant: Meant) -> bool:
    says = one.is_decided if meant.outcome == DECIDED else meant.outcome in ("", one.outcome)
    return says and meant.project in (None, one.project) and meant.kind in (None, one.kind)
