"""What a pick costs the people who answer it: minutes and exposure, estimated before anybody has read anything.

Minutes of one look: ``decision_minutes``, and for a text its length over ``chars_per_minute``. The default speed is
1,200 characters a minute: 238 words a minute in silent reading (Brysbaert 2019), some five characters each. What a
decision takes beside reading, and a look at a picture or a video, is assumed, not measured: set them from your own lead
times.

Exposure of one look: the largest ``severity weight x probability`` over the policies, times the modality's factor,
times the look's minutes over ``reference_minutes``. 1 unit is one person who sees, for the reference time, one text
sure to violate a policy of severity S0; an S4 weighs 16. The factors are assumed too: a picture is not skimmed as words
are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from labeling.errors import InvalidInput
from labeling.store.interfaces import Lake

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Costs:
    """The constants, each above 0: minutes of one person, characters a minute, and factors of exposure."""

    decision_minutes: float = 0.25
    chars_per_minute: float = 1200.0
    image_minutes: float = 0.1
    video_minutes: float = 1.0
    image_exposure: float = 2.0
    video_exposure: float = 2.0
    reference_minutes: float = 0.5

    def minutes(self, text: str, modality: str) -> float:
        """One person's minutes with one item; ``text`` is a caption or transcript where there is media."""
        media = {"image": self.image_minutes, "video": self.video_minutes}.get(modality, 0.0)
        return self.decision_minutes + media + len(text) / self.chars_per_minute

    def look(self, text: str, modality: str) -> float:
        """What one look weighs: 1 for a text at the reference time."""
        factor = {"image": self.image_exposure, "video": self.video_exposure}.get(modality, 1.0)
        return factor * self.minutes(text, modality) / self.reference_minutes


def costs_of(given: Mapping[str, float]) -> Costs:
    """The constants with those that are ``given`` in their place. Raises InvalidInput naming the one that is wrong."""
    known = [field.name for field in fields(Costs)]
    for name, value in given.items():
        if name not in known:
            raise InvalidInput(f"costs: {name!r} is unknown (known: {', '.join(known)})")
        if not 0 < value < float("inf"):
            raise InvalidInput(f"costs: {name}: must be a number above 0, found {value}")
    return Costs(**given)


def minutes_of(lake: Lake, item_ids: Sequence[str], costs: Costs, overlap: int) -> F32:
    """(n,) the minutes that ``overlap`` people spend on each item."""
    table = lake.take(item_ids, ["text", "modality"])
    told = zip(table["text"].to_pylist(), table["modality"].to_pylist(), strict=True)
    return np.array([overlap * costs.minutes(text, modality) for text, modality in told], np.float32)


def looks_of(lake: Lake, item_ids: Sequence[str], costs: Costs) -> F32:
    """(n,) what one look at each item weighs, as ``Costs.look`` has it."""
    table = lake.take(item_ids, ["text", "modality"])
    told = zip(table["text"].to_pylist(), table["modality"].to_pylist(), strict=True)
    return np.array([costs.look(text, modality) for text, modality in told], np.float32)


def exposure_of(probabilities: F32, weights: Sequence[float], overlap: int, looks: F32) -> F32:
    """(n, k) probabilities, k severity weights and the (n,) weights of a look to the (n,) exposure of ``overlap``
    people."""
    gravest = (probabilities * np.asarray(weights, np.float32)).max(axis=1)
    return np.asarray(overlap * looks * gravest, np.float32)


def estimate(lanes: Sequence[str], minutes: F32, exposure: F32) -> dict[str, object]:
    """The estimate of a round, from each pick's lane and costs: minutes and exposure in all and by lane."""
    by_lane: dict[str, dict[str, float]] = {}
    for lane in sorted(set(lanes)):
        mine = np.array([other == lane for other in lanes])
        by_lane[lane] = {"minutes": _sum(minutes[mine]), "exposure": _sum(exposure[mine])}
    return {"minutes": _sum(minutes), "exposure": _sum(exposure), "lanes": by_lane}


def _sum(values: F32) -> float:
    return round(float(values.astype(np.float64).sum()), 2)
