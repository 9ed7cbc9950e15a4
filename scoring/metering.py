"""What services were asked for, and what that costs: the bill of a scorer, whatever it is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

from scoring.remote import Usage


@runtime_checkable
class Metered(Protocol):
    """A scorer that asks a service. ``usage`` and ``cost``, in the currency of its prices, grow from when it was
    made."""

    @property
    def usage(self) -> Usage: ...

    @property
    def cost(self) -> float: ...


@runtime_checkable
class Composite(Protocol):
    """A scorer made of others."""

    @property
    def parts(self) -> tuple[object, ...]: ...


@dataclass(frozen=True, slots=True)
class Bill:
    """Counts as in ``Usage``: text that is judged and embedded by a service counts twice in ``items``. ``cost``: 0
    where no price is known."""

    requests: int = 0
    retries: int = 0
    items: int = 0
    tokens: int = 0
    cost: float = 0.0

    def plus(self, other: Bill, sign: int = 1) -> Bill:
        """Both together."""
        return Bill(
            self.requests + sign * other.requests,
            self.retries + sign * other.retries,
            self.items + sign * other.items,
            self.tokens + sign * other.tokens,
            self.cost + sign * other.cost,
        )

    def since(self, before: Bill) -> Bill:
        """What came after ``before``."""
        return self.plus(before, -1)

    def line(self) -> str:
        """One line for people."""
        price = f"{self.cost:,.2f}" if self.cost >= 0.01 else f"{self.cost:.2g}"
        cost = f"{price} by the prices in the scorer file" if self.cost else "the scorer file names no price for it"
        asked = f"{self.requests:,} requests ({self.retries:,} retries)"
        return f"{asked}, {self.items:,} texts sent, {self.tokens:,} tokens: {cost}"


def bill(scorer: object) -> Bill | None:
    """What a scorer, or the parts of it, asked for since it was made; None where nothing of it asks a service."""
    if isinstance(scorer, Metered):
        return Bill(**asdict(scorer.usage), cost=scorer.cost)
    found = [one for part in (scorer.parts if isinstance(scorer, Composite) else ()) if (one := bill(part)) is not None]
    total = Bill()
    for one in found:
        total = total.plus(one)
    return total if found else None
