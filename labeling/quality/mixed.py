"""A mixed logistic model with crossed random intercepts, fitted by Laplace's approximation.

    logit P(event) = b + sum over dimensions d of u[d, level],   u[d, .] ~ N(0, sd_d^2)

The mode of (b, u) is found by Newton's method (penalised iteratively reweighted least squares; Bates et al. 2015), log
sd by L-BFGS on the Laplace approximation of the marginal likelihood with its exact gradient (the term through the mode
included), under the penalised-complexity prior of Simpson et al. (2017): sd is exponential with P(sd > 2) = 5 %, which
draws towards "this dimension says nothing". What is uncertain about log sd is told by the inverse of that objective's
Hessian. Arrays in, figures out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import expit, xlogy

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
RATE = -math.log(0.05) / 2.0  # of the prior on sd
RESIDUAL = math.pi**2 / 3  # the variance of the logistic distribution: what no dimension explains on the latent scale
_LOG_SD = (-5.0, 2.5)  # sd from 0.007 to 12
_WEAK = 1e-4  # precision of the intercept's own prior, so that separated data have a mode
_STEPS, _TOLERANCE = 60, 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Binomial rows: ``events`` of ``n`` (R,), levels (R, D) from 0, -1: no level of that dimension; ``sizes`` (D,)."""

    events: F64
    n: F64
    levels: I64
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, events: npt.ArrayLike, levels: I64, sizes: Sequence[int]) -> Counts:
        """Single decisions (R,) of 0 or 1, those of equal levels put together."""
        y = np.asarray(events, dtype=np.float64)
        key = np.zeros(len(y), dtype=np.int64)
        for d, size in enumerate(sizes):
            key = np.unique(key * (size + 1) + levels[:, d] + 1, return_inverse=True)[1]
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        n = np.bincount(place).astype(np.float64)
        return cls(np.bincount(place, weights=y).astype(np.float64), n, levels[first], tuple(sizes))


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """``sd`` (D,) of each dimension, log-odds; ``log_sd_cov`` (D, D). ``effects``: (q,) of all levels, one dimension
    after the other, with ``cov`` (q, q) given ``sd``; ``starts`` (D + 1,): where each dimension's begin. ``intercept``
    in log-odds. ``evidence``: the log probability of the data over all
    sd, by Laplace's approximation twice, by which models of the same data are compared."""

    sd: F64
    log_sd_cov: F64
    intercept: float
    effects: F64
    cov: F64
    starts: tuple[int, ...]
    evidence: float

    def shares(self, draws: int = 2000, seed: int = 0) -> tuple[F64, F64]:
        """(D,) shares of the variance on the latent scale, what no dimension explains included in the whole; and
        (draws, D) of them from what is uncertain about sd."""
        generator = np.random.default_rng(seed)
        drawn = generator.multivariate_normal(np.log(self.sd), self.log_sd_cov, draws, method="eigh")
        return _shares(self.sd[None, :] ** 2)[0], _shares(np.exp(2 * np.clip(drawn, *_LOG_SD)))


def fit(data: Counts) -> Mixed:
    """The model of ``data``, which has a row and a dimension at least. The same data give the same fit."""
    if not len(data.n) or not data.sizes:
        raise ValueError("there is nothing to fit: give rows and dimensions")
    fitting = _Fitting(data)
    begin = np.full(len(data.sizes), -0.7)
    found = minimize(fitting.objective, begin, jac=True, method="L-BFGS-B", bounds=[_LOG_SD] * len(begin))
    theta = np.asarray(found.x, dtype=np.float64)
    covariance = fitting.covariance(theta)
    mode = fitting.mode(theta)
    return Mixed(
        sd=np.exp(theta),
        log_sd_cov=covariance,
        intercept=float(mode.u[0]),
        effects=mode.u[1:],
        cov=mode.cov[1:, 1:],
        starts=tuple((fitting.starts - 1).tolist()),
        evidence=float(mode.marginal + _log_prior(theta) + 0.5 * np.linalg.slogdet(2 * math.pi * covariance)[1]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """The intercept and all effects, their covariance, and the gradient of the marginal by log sd."""

    u: F64
    cov: F64
    marginal: float
    gradient: F64


class _Fitting:
    """The data in the form that Newton's steps need. Column 0 is the intercept; a last column, whose value stays 0,
    stands for levels that are not there."""

    def __init__(self, data: Counts) -> None:
        self._y, self._n = data.events, data.n
        self.starts = np.cumsum([1, *data.sizes])
        self._q = int(self.starts[-1])
        columns = np.where(data.levels >= 0, data.levels + self.starts[:-1], self._q)
        self._columns = np.column_stack([np.zeros(len(self._n), dtype=np.int64), columns])
        width = self._q + 1
        self._pairs = [
            (a, b, self._columns[:, a] * width + self._columns[:, b])
            for a in range(self._columns.shape[1])
            for b in range(a, self._columns.shape[1])
        ]
        self._dimension = np.repeat(np.arange(len(data.sizes)), data.sizes)
        self._u = np.zeros(width)
        share = (self._y.sum() + 0.5) / (self._n.sum() + 1)
        self._u[0] = math.log(share / (1 - share))

    def objective(self, theta: F64) -> tuple[float, F64]:
        """Less the log posterior of log sd, and its gradient."""
        mode, sd = self.mode(theta), np.exp(theta)
        return -float(mode.marginal + _log_prior(theta)), -(mode.gradient + 1 - RATE * sd)

    def covariance(self, theta: F64, step: float = 0.05) -> F64:
        """The inverse of the objective's Hessian by central differences, held to be positive definite."""
        size = len(theta)
        hessian = np.empty((size, size))
        for d in range(size):
            up, down = theta.copy(), theta.copy()
            up[d], down[d] = theta[d] + step, theta[d] - step
            hessian[d] = (self.objective(up)[1] - self.objective(down)[1]) / (2 * step)
        values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
        return np.asarray((vectors / np.maximum(values, 0.05)) @ vectors.T, dtype=np.float64)

    def mode(self, theta: F64) -> _Mode:
        precision = np.concatenate([[_WEAK], np.exp(-2 * theta)[self._dimension]])
        u = self._newton(precision)
        eta = u[self._columns].sum(axis=1)
        p = expit(eta)
        weight = self._n * p * (1 - p)
        factor = cho_factor(self._hessian(weight, precision))
        cov = cho_solve(factor, np.eye(self._q))
        logdet = 2 * float(np.sum(np.log(np.diag(factor[0]))))
        inner = u[: self._q]
        likelihood = float(np.sum(xlogy(self._y, p) + xlogy(self._n - self._y, 1 - p)))
        marginal = (
            likelihood - 0.5 * float(precision @ inner**2) + 0.5 * float(np.sum(np.log(precision))) - 0.5 * logdet
        )
        return _Mode(inner.copy(), cov, marginal, self._gradient(inner, cov, precision, weight * (1 - 2 * p)))

    def _newton(self, precision: F64) -> F64:
        """The mode of the intercept and the effects, from the last one found, with steps that never lose ground."""
        u, height = self._u.copy(), self._height(self._u, precision)
        for _ in range(_STEPS):
            p = expit(u[self._columns].sum(axis=1))
            slope = self._by_column(self._y - self._n * p)[: self._q] - precision * u[: self._q]
            step = cho_solve(cho_factor(self._hessian(self._n * p * (1 - p), precision)), slope)
            if float(slope @ step) < _TOLERANCE:
                break
            scale = 1.0
            while True:
                tried = u.copy()
                tried[: self._q] += scale * step
                now = self._height(tried, precision)
                if now >= height or scale < 1e-6:
                    break
                scale /= 2
            u, height = tried, now
        self._u = u
        return u

    def _height(self, u: F64, precision: F64) -> float:
        eta = u[self._columns].sum(axis=1)
        fits = self._y @ eta - self._n @ np.logaddexp(0, eta)
        return float(fits - 0.5 * precision @ u[: self._q] ** 2)

    def _hessian(self, weight: F64, precision: F64) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        width = self._q + 1
        found = np.zeros(width * width)
        for a, b, key in self._pairs:
            counted = np.bincount(key, weights=weight, minlength=width * width)
            found += counted
            if a != b:
                found += counted.reshape(width, width).T.ravel()
        square = np.empty((self._q, self._q))
        square[:] = found.reshape(width, width)[: self._q, : self._q]
        square[np.diag_indices(self._q)] += precision
        return square

    def _by_column(self, rows: F64) -> F64:
        found = np.zeros(self._q + 1)
        for d in range(self._columns.shape[1]):
            found += np.bincount(self._columns[:, d], weights=rows, minlength=self._q + 1)
        return found

    def _gradient(self, u: F64, cov: F64, precision: F64, skew: F64) -> F64:
        """Of the marginal by log sd. By a precision l it is q/2l - u'u/2 - tr(C)/2 and, through the mode, half the
        change of log |H|; dl / d log sd = -2l."""
        padded = np.zeros((self._q + 1, self._q + 1))
        padded[: self._q, : self._q] = cov
        spread = sum((1 if a == b else 2) * padded[self._columns[:, a], self._columns[:, b]] for a, b, _ in self._pairs)
        moved = cov @ self._by_column(skew * spread)[: self._q]
        found = np.empty(len(self.starts) - 1)
        for d in range(len(found)):
            own = slice(self.starts[d], self.starts[d + 1])
            value = precision[own][0]
            direct = len(u[own]) / (2 * value) - 0.5 * float(u[own] @ u[own]) - 0.5 * float(np.trace(cov[own, own]))
            found[d] = -2 * value * (direct + 0.5 * float(moved[own] @ u[own]))
        return found


def _log_prior(theta: F64) -> float:
    """Of log sd, where sd is exponential."""
    return float(np.sum(math.log(RATE) + theta - RATE * np.exp(theta)))


def _shares(variances: F64) -> F64:
    return np.asarray(variances / (variances.sum(axis=-1, keepdims=True) + RESIDUAL), dtype=np.float64)
