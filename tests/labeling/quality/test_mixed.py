from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from labeling.quality.mixed import F64, RESIDUAL, Counts, Mixed, _Fitting, fit

SIZES = (24, 12, 3)


def made(seed: int = 0, n: int = 8000, sd: tuple[float, ...] = (0.8, 0.0, 1.0)) -> tuple[Counts, list[F64]]:
    rng = np.random.default_rng(seed)
    levels = np.column_stack([rng.integers(0, size, n) for size in SIZES])
    effects = [rng.normal(0, s, size) if s else np.zeros(size) for s, size in zip(sd, SIZES, strict=True)]
    eta = -2.0 + sum(effects[d][levels[:, d]] for d in range(len(SIZES)))
    return Counts.of(rng.random(n) < expit(eta), levels, SIZES), effects


def effects_of(model: Mixed, dimension: int) -> F64:
    return model.effects[model.starts[dimension] : model.starts[dimension + 1]]


def test_what_was_put_in_is_found() -> None:
    data, effects = made()
    model = fit(data)
    assert model.sd[0] == pytest.approx(effects[0].std(), rel=0.35)
    assert model.sd[1] < 0.25
    assert np.corrcoef(effects_of(model, 0), effects[0])[0, 1] > 0.95
    assert model.intercept + effects_of(model, 2).mean() == pytest.approx(-2.0 + effects[2].mean(), abs=0.4)
    again = fit(data)
    assert (again.sd == model.sd).all()


def test_the_gradient_is_the_objectives() -> None:
    fitting = _Fitting(made(n=1500)[0])
    theta, step = np.array([-0.5, -1.0, 0.2]), 1e-4
    slope = fitting.objective(theta)[1]
    for d in range(3):
        move = step * np.eye(3)[d]
        numeric = (fitting.objective(theta + move)[0] - fitting.objective(theta - move)[0]) / (2 * step)
        assert slope[d] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_marginal_likelihood_is_the_integral() -> None:
    """Groups of 40 under one dimension: the integral over each group's effect is done by quadrature."""
    rng = np.random.default_rng(3)
    events = rng.binomial(40, expit(-1 + rng.normal(0, 0.7, 8))).astype(np.float64)
    data = Counts(events, np.full(8, 40.0), np.arange(8)[:, None], (8,))
    theta = np.array([math.log(0.7)])
    mode = _Fitting(data).mode(theta)

    def group(k: float) -> float:
        def density(u: float) -> float:
            eta = mode.u[0] + u
            return math.exp(k * eta - 40 * math.log1p(math.exp(eta)) - u * u / (2 * 0.49)) / (
                0.7 * math.sqrt(2 * math.pi)
            )

        return math.log(quad(density, -6, 6, epsabs=0, limit=200)[0])

    # at the mode's own intercept; the rest of Laplace's term is the intercept's
    given_intercept = sum(group(k) for k in events)
    alone = mode.marginal - 0.5 * math.log(mode.cov[0, 0] * 1e-4) + 0.5 * 1e-4 * mode.u[0] ** 2
    assert alone == pytest.approx(given_intercept, abs=0.15)


def test_shares_are_of_the_latent_scale_and_know_their_doubt() -> None:
    model = fit(made()[0])
    share, drawn = model.shares()
    assert share[0] == pytest.approx(model.sd[0] ** 2 / (np.sum(model.sd**2) + RESIDUAL))
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    assert (low < share).all()
    assert (share < high).all()
    assert model.log_sd_cov[2, 2] > model.log_sd_cov[0, 0]  # three levels say less of a variance than 24


def test_a_level_that_is_not_there_adds_nothing() -> None:
    data, _ = made(n=1500)
    without = Counts(data.events, data.n, np.column_stack([data.levels, np.full(len(data.n), -1)]), (*SIZES, 2))
    model = fit(without)
    assert effects_of(model, 3) == pytest.approx([0.0, 0.0])
    assert effects_of(model, 0) == pytest.approx(effects_of(fit(data), 0), abs=0.02)


def test_data_that_separate_have_a_fit() -> None:
    levels = np.repeat(np.arange(2), 50)[:, None]
    model = fit(Counts.of(levels[:, 0] == 1, levels, (2,)))
    assert np.isfinite(model.effects).all()
    assert model.effects[1] > 1
    assert np.isfinite(fit(Counts.of(np.zeros(100), levels, (2,))).intercept)


def test_nothing_is_no_data() -> None:
    with pytest.raises(ValueError, match="give rows and dimensions"):
        fit(Counts(np.zeros(0), np.zeros(0), np.zeros((0, 1), dtype=np.int64), (1,)))
