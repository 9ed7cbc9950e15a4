"""What is read of a text that is longer than a model: its head and its tail, in windows, or its head alone."""

from __future__ import annotations

from dataclasses import dataclass

CHARS_PER_TOKEN = 8  # more than most text has, so that the first slice of a long text nearly always suffices
DOUBLINGS = 3  # how often a slice may grow: at most 64 characters are looked at for each token that is wanted
MARGIN = 16  # tokens next to a cut, which may differ from those that the whole text gives


@dataclass(frozen=True, slots=True)
class LongText:
    """At most ``head`` windows from the start of a text and ``tail`` from its end."""

    name: str
    head: int
    tail: int

    @property
    def rule(self) -> str:
        """What versions are made of."""
        return f"{self.name} {self.head}+{self.tail}"

    @property
    def most(self) -> int:
        """Windows a text may have."""
        return self.head + self.tail

    def note(self, size: int, windows: int, unread: str) -> str:
        """What a reader of the score must know of a text read in ``windows`` of ``size`` tokens; "" where it was read
        whole and at once. ``unread``: how much was not read, in words, or nothing."""
        if not unread:
            return "" if windows == 1 else f"read whole, in {windows} windows of at most {size} tokens"
        if not self.tail:
            return f"only the first {size} tokens were read; {unread} were not"
        return (
            f"read in {windows} windows, the first and the last {self.head * size} tokens; "
            f"{unread} in the middle were not read"
        )


RULES = {rule.name: rule for rule in (LongText("windows", 2, 2), LongText("cut", 1, 0))}


def rule_named(name: str) -> LongText:
    """``windows``: the first two and the last two; ``cut``: the first only. Raises ValueError."""
    if name not in RULES:
        raise ValueError(f"long_text {name!r} is unknown; use one of {', '.join(RULES)}")
    return RULES[name]


def spans(tokens: int, size: int, rule: LongText) -> list[tuple[int, int]]:
    """(start, stop) of each window of at most ``size`` of ``tokens`` tokens; all of them where the windows suffice.

    The last of the tail's ends with the text, so it may overlap the one before.
    """
    if tokens <= size:
        return [(0, tokens)]
    needed = -(-tokens // size)
    if needed <= rule.most and rule.tail:
        return [*((i * size, (i + 1) * size) for i in range(needed - 1)), (tokens - size, tokens)]
    head = [(i * size, (i + 1) * size) for i in range(rule.head)]
    return head + [(tokens - i * size, tokens - (i - 1) * size) for i in range(rule.tail, 0, -1)]
