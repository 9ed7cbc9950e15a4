"""Made traffic: topics on a sphere, markets, weekdays, topics whose share wanders from day to day; and a planted
theme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIMENSION = 48
WEEKDAYS = np.array([1.0, 1.05, 1.0, 0.95, 1.1, 0.8, 0.7])
F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """n items: unit ``vectors`` (n, d), ``day`` and ``market`` (n,), ``planted`` (n,) the theme's."""

    vectors: F32
    day: I64
    market: I64
    planted: npt.NDArray[np.bool_]

    def until(self, day: int, days: int) -> Traffic:
        """The last ``days`` days up to ``day``, itself included."""
        rows = np.flatnonzero((self.day <= day) & (self.day > day - days))
        return Traffic(self.vectors[rows], self.day[rows], self.market[rows], self.planted[rows])


def unit(rows: npt.NDArray[np.float64]) -> F32:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def around(rng: np.random.Generator, centres: F32, cosine: float | npt.NDArray[np.float64]) -> F32:
    """Points whose cosine with their centre is about ``cosine``."""
    noise = unit(rng.normal(size=centres.shape))
    side = noise - (noise * centres).sum(axis=1, keepdims=True) * centres
    near = np.broadcast_to(np.asarray(cosine, np.float64), len(centres))[:, None]
    return unit(near * centres + np.sqrt(1 - near**2) * unit(side.astype(np.float64)))


def traffic(
    seed: int, days: int, *, a_day: int = 900, topics: int = 24, markets: int = 4, alpha: float = 0.06
) -> Traffic:
    """Null traffic: counts a day, market and topic are negative binomial; nothing new ever comes."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(topics, DIMENSION)))
    share = rng.dirichlet(np.ones(topics), markets) * rng.dirichlet(np.full(markets, 3.0))[:, None]
    parts: list[tuple[int, int, int, int]] = []
    for day in range(days):
        mean = a_day * share * WEEKDAYS[day % 7] * rng.gamma(50, 1 / 50)
        drawn = rng.poisson(mean * rng.gamma(1 / alpha, alpha, size=mean.shape))
        parts += [(day, m, t, int(drawn[m, t])) for m in range(markets) for t in range(topics) if drawn[m, t]]
    table = np.array(parts)
    days_of, market, topic = (np.repeat(table[:, column], table[:, 3]) for column in range(3))
    tight = rng.choice([0.7, 0.8, 0.92], topics)  # some topics are one text over and over
    vectors = around(rng, centres[topic], tight[topic])
    return Traffic(vectors, days_of, market, np.zeros(len(days_of), np.bool_))


def plant(base: Traffic, seed: int, first_day: int, *, items: int = 40, days: int = 3, inside: bool = False) -> Traffic:
    """Coordinated items over some days, spread over two markets. ``inside``: about what an old topic is about."""
    rng = np.random.default_rng([seed, 7])
    centre = base.vectors[rng.integers(len(base.vectors))][None] if inside else unit(rng.normal(size=(1, DIMENSION)))
    vectors = around(rng, np.repeat(centre, items, axis=0), 0.92)
    day = first_day + np.arange(items) * days // items
    market = rng.integers(0, 2, items)
    return Traffic(
        np.concatenate([base.vectors, vectors]),
        np.concatenate([base.day, day]),
        np.concatenate([base.market, market]),
        np.concatenate([base.planted, np.ones(items, np.bool_)]),
    )
