"""A running service: Goldfold, its jobs, its sweep, its mirror and its online scorer, started and ended together."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from api.composition import Goldfold
from api.jobs.runtime import JobRuntime
from api.mirroring import MirrorWatch
from api.online.batcher import Limits, MicroBatcher
from api.online.served import Served, served
from api.sweep import Sweep
from configs.settings import Settings

ONLINE_DRAIN_S = 5.0


class Service:
    """``with Service(settings) as service`` starts everything; the end stops it, and unfinished jobs wait."""

    def __init__(self, settings: Settings, goldfold: Goldfold | None = None) -> None:
        self.settings = settings
        self.goldfold = goldfold or Goldfold(settings)
        self.jobs = JobRuntime(self.goldfold)
        self.sweep = Sweep(self.jobs, settings.sync_interval_s)
        self.mirror = MirrorWatch(self.goldfold, self.jobs, settings.sync_interval_s)
        self.online: MicroBatcher[Served] = MicroBatcher(lambda: served(self.goldfold), _limits(settings))

    @property
    def sweeps(self) -> bool:
        """Whether there is a Label Studio to sweep."""
        return bool(self.settings.studio_token.get_secret_value())

    def check(self) -> None:
        """Raises JobError when the jobs or the sweep of this process have ended."""
        self.jobs.check()
        if self.sweeps:
            self.sweep.check()

    def __enter__(self) -> Self:
        try:
            self.jobs.start()
        except BaseException:
            self.goldfold.close()
            raise
        if self.sweeps:
            self.sweep.start()
        if self.settings.mlflow_url is not None:
            self.mirror.start()
        if self.settings.online_preload:
            self.online.preload()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sweep.close()
        self.mirror.close()
        self.online.close(ONLINE_DRAIN_S)
        self.jobs.close()
        self.goldfold.close()


def _limits(settings: Settings) -> Limits:
    return Limits(
        queue_items=settings.online_queue_items,
        queue_s=settings.online_queue_ms / 1000,
        batch_s=settings.online_batch_ms / 1000,
        max_tokens=settings.max_tokens,
    )
