"""How fast the scorer is just now, learned from its own batches."""

from __future__ import annotations

FADE = 0.8  # what a batch still weighs when the next one is done: about the last five count


class Pace:
    """Seconds a token, over the last batches. The very first is left out, since a model allocates and compiles then;
    unknown until the second. Not safe for threads: its owner locks."""

    def __init__(self) -> None:
        self._warm = False
        self._seconds = 0.0
        self._tokens = 0.0

    def saw(self, tokens: int, seconds: float) -> None:
        """A batch of ``tokens`` took so long."""
        if self._warm:
            self._seconds = FADE * self._seconds + seconds
            self._tokens = FADE * self._tokens + tokens
        self._warm = True

    def seconds(self, tokens: int) -> float:
        """How long so many would take; 0 while nothing is known."""
        return tokens * self._seconds / self._tokens if self._tokens else 0.0

    def tokens(self, seconds: float, unknown: int) -> int:
        """How many can be done in that time; ``unknown`` while nothing is known."""
        return int(seconds * self._tokens / self._seconds) if self._seconds else unknown
