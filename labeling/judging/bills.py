"""What asking a language model costs: before it is asked, and as the service counted."""

from __future__ import annotations

from dataclasses import dataclass

from labeling.judging.prompts import Prompt, Said

CHARS_A_TOKEN = 4  # a rule of thumb for English; other scripts take more tokens
SAID_TOKENS = 30  # of one answer, likewise
BASIS = f"about {CHARS_A_TOKEN} characters a token, {SAID_TOKENS} tokens an answer: a rule of thumb, not a count"


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens, in any currency."""

    per_million_in: float = 0.0
    per_million_out: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """In that currency."""
        return tokens_in / 1e6 * self.per_million_in + tokens_out / 1e6 * self.per_million_out


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests that were answered, and their tokens as the service counted them (0 where it does not)."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def plus(self, said: Said) -> Spent:
        """And one answer more."""
        return Spent(self.calls + 1, self.tokens_in + said.tokens_in, self.tokens_out + said.tokens_out)

    def told(self, prices: Prices) -> dict[str, object]:
        """JSON-able."""
        cost = prices.cost(self.tokens_in, self.tokens_out)
        return {"calls": self.calls, "tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "cost": cost}


def guessed_tokens(prompt: Prompt, text: str) -> int:
    """Of one request, by ``CHARS_A_TOKEN``."""
    return -(-(len(prompt.system) + len(text)) // CHARS_A_TOKEN)
