"""The rule by which a first stage clears items: one margin an item, one cut, and a trickle that is never cleared."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from scoring.first_stage import Reading

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Clearing:
    """``thresholds`` (tau, in (0, 1)) and ``spreads`` (> 0: how far a guessed logit is off, root mean square) by
    policy, in the order of ``policies``; ``cut``: an item whose margin is below it is cleared;
    ``trickle`` in [0, 1]: share of all items that go to the full scorer whatever their margin; ``seed`` chooses which;
    ``full_version``: the scorer that was imitated. Raises ValueError for anything else.
    """

    policies: tuple[str, ...]
    thresholds: tuple[float, ...]
    spreads: tuple[float, ...]
    cut: float
    trickle: float
    seed: int
    full_version: str

    def __post_init__(self) -> None:
        if not len(self.policies) == len(self.thresholds) == len(self.spreads) > 0:
            raise ValueError("policies, thresholds and spreads must have the same length, 1 or more")
        if not all(0 < tau < 1 for tau in self.thresholds):
            raise ValueError("thresholds must lie between 0 and 1")
        if not all(0 < spread < math.inf for spread in self.spreads):
            raise ValueError("spreads must be above 0 and finite")
        if not math.isfinite(self.cut) or not 0 <= self.trickle <= 1:
            raise ValueError("cut must be finite and trickle within 0 and 1")
        if not -(2**63) <= self.seed < 2**63:
            raise ValueError(f"seed: {self.seed} does not fit in 64 bits")

    def margins(self, reading: Reading) -> F64:
        """(n,): the most that any policy's guess lies above its threshold, in spreads."""
        return np.asarray(((reading.logits.astype(np.float64) - self._taus) / self.spreads).max(axis=1))

    def clears(self, reading: Reading) -> Bool:
        """(n,): which items are cleared if they are not in the trickle: read as a whole, and below the cut."""
        return np.asarray(reading.whole & (self.margins(reading) < self.cut))

    def estimates(self, reading: Reading) -> F32:
        """(n, k) the probabilities that cleared items get: one spread above the guess, and below the threshold. So
        they rather overstate, rise with the guess, and never flag an item nobody looked at."""
        upper = expit(reading.logits.astype(np.float64) + self.spreads).astype(np.float32)
        most = np.nextafter(np.asarray(self.thresholds, np.float32), np.float32(0))
        return np.asarray(np.minimum(upper, most), np.float32)

    def trickles(self, ids: Sequence[str]) -> Bool:
        """(n,) which items are in the trickle: by a hash of seed and id alone, so that each has the chance ``trickle``
        and every process agrees."""
        limit = round(self.trickle * 2**64)
        key = self.seed.to_bytes(8, "little", signed=True)
        hashes = (hashlib.blake2b(i.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest() for i in ids)
        return np.fromiter((int.from_bytes(h, "little") < limit for h in hashes), np.bool_, len(ids))

    def as_dict(self) -> dict[str, object]:
        """The fields by name, as JSON has them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @property
    def _taus(self) -> F64:
        return np.asarray(logit(np.asarray(self.thresholds, np.float64)))
