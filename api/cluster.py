"""Daft as the engine that carries shards to workers: on its native runner, or on Ray.

The only module that imports daft and ray. A worker is an instance of one class in a process of its own; it makes the
scorer once and takes one shard at a time. Daft sends the class to Ray's workers by name, not the model: they make
it from the recipe.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import daft
import ray
from daft.errors import UDFException
from daft.exceptions import DaftCoreException
from ray.exceptions import RayError

from api.bulk import TELEMETRY_OFF, Recipe, allow_plain_http
from labeling.bulk import Engine, Order, Receipt, ShardWorker
from labeling.errors import ShardsLeft
from labeling.sources import Shard

LOCAL = "local"  # an address: a Ray of this process' own
LOCAL_CPUS = 2
_LOST = (RuntimeError, OSError, UDFException, DaftCoreException, RayError)


class Scoring:
    """One worker. Shards and receipts travel as JSON."""

    def __init__(self, order: str, recipe: str) -> None:
        allow_plain_http()
        self._worker = ShardWorker(Order.from_json(order), Recipe.from_json(recipe).build)

    # One shard a call, so that each is told of as soon as it is done.
    @daft.method.batch(return_dtype=daft.DataType.string(), batch_size=1)  # type: ignore[untyped-decorator]
    def score(self, shards: Any) -> list[str]:
        """A series of shards to as many receipts."""
        return [self._worker(Shard.from_json(shard)).as_json() for shard in shards.to_pylist()]


@contextmanager
def engine(order: Order, recipe: Recipe, *, workers: int, gpus: int, ray_address: str | None) -> Iterator[Engine]:
    """``workers`` processes, ``gpus`` GPUs for each; on Ray when there is an address ("local" starts one here).
    Raises ShardsLeft when Ray cannot be reached."""
    if ray_address is None:
        daft.set_runner_native()
    else:
        _join(ray_address, workers)
        daft.set_runner_ray(noop_if_initialized=True)
    made = daft.cls(Scoring, gpus=gpus, max_concurrency=workers, use_process=None if ray_address else True)

    def run(shards: Sequence[Shard]) -> Iterator[Receipt]:
        frame = daft.from_pydict({"shard": [shard.as_json() for shard in shards]})
        if ray_address is not None:
            frame = frame.into_partitions(len(shards))
        told = frame.select(made(order.as_json(), recipe.as_json()).score(daft.col("shard")).alias("receipt"))
        try:
            for row in told.iter_rows(results_buffer_size=max(2, workers)):
                yield Receipt.from_json(row["receipt"])
        except _LOST as error:
            raise ShardsLeft(f"a worker ended before it was done ({_first_line(error)})") from error

    with redirect_stdout(sys.stderr):  # Ray tells there of workers that died, and a command prints one document
        try:
            yield run
        finally:
            if ray_address is not None:
                ray.shutdown()


def _join(address: str, workers: int) -> None:
    here: dict[str, Any] = {}
    if address == LOCAL:
        here = {"num_cpus": max(LOCAL_CPUS, workers), "include_dashboard": False}
    told = {name: os.environ[name] for name in TELEMETRY_OFF}  # another machine has an environment of its own
    try:
        with warnings.catch_warnings():
            # Ray starts other programs, none of which goes on in this process' memory.
            warnings.filterwarnings("ignore", message="lance is not fork-safe")
            ray.init(address, log_to_driver=False, runtime_env={"env_vars": told}, **here)
    except (RayError, ConnectionError, RuntimeError, ValueError, ImportError) as error:
        raise ShardsLeft(f"ray: {address} cannot be joined: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
