"""When a run that waits for others has to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep

from labeling.errors import AnswersLeft

NAP_S = 0.5
CURE = "what was answered is kept: run it again to go on"


def never() -> bool:
    """Of a run that nobody stops."""
    return False


@dataclass(frozen=True, slots=True)
class Clock:
    """Ends a run ``deadline_s`` seconds after ``began_s`` (of ``time.monotonic``), or when ``stop`` says so. What is
    under way then is still waited for."""

    deadline_s: float
    began_s: float
    stop: Callable[[], bool] = never

    def check(self) -> None:
        """Raises AnswersLeft when the run is to end."""
        self._check_deadline()
        if self.stop():
            raise AnswersLeft(f"the run was stopped before every question was answered; {CURE}", is_paused=True)

    def wait(self, seconds: float) -> None:
        """Sleep between two tries of a request, but not beyond the deadline; a ``stop`` waits for what the tries bring,
        else nobody would hear why they fail. Raises AnswersLeft."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._check_deadline()
            sleep(min(left, NAP_S))
        self._check_deadline()

    def _check_deadline(self) -> None:
        if monotonic() - self.began_s >= self.deadline_s:
            raise AnswersLeft(f"deadline_s: {self.deadline_s:g} s were not enough; {CURE}, or raise it in the file")
