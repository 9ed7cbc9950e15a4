"""Which golden items are behind a figure, and the link that names them (``labeling.judging.golden_items``)."""

from __future__ import annotations

from dataclasses import dataclass

from labeling.figures import link
from labeling.records import GoldState, Partition

WHERE = "/v1/golden/items"


@dataclass(frozen=True, slots=True)
class GoldAsked:
    """``version``: rows of it that hold now, "": gold as it is; ``judging``: those alone that may judge a model.
    ``dimension``: as evaluations are cut by, or a field of the items, "": all; ``value``: what it says. What is None is
    any."""

    version: str = ""
    partition: Partition | None = None
    policy: str | None = None
    modality: str | None = None
    state: GoldState | None = None
    dimension: str = ""
    value: str = ""
    judging: bool = False

    def link(self) -> str:
        """The path that names them."""
        partition, state = (None if one is None else one.value for one in (self.partition, self.state))
        cut = {"dimension": self.dimension, "value": self.value} if self.dimension else {}
        only = {"version": self.version or None, "partition": partition, "policy": self.policy}
        return link(WHERE, **only, modality=self.modality, state=state, **cut, judging="true" if self.judging else None)
