"""What a figure is here: an estimate that can be quoted by itself.

In every answer and every report a figure is one flat object of ``FIGURE``: its ``value`` (None where there are too few
answers to say one), the ends ``low`` and ``high`` of its interval (None where there is none), the ``n`` behind it, and
its *origin*. What else is known stands beside these (``events``, ``method``, ``verdict``, ...). A count is no figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

ENDS = ("low", "high")
ORIGIN = ("licence", "golden_version", "policy_version", "items")
FIGURE = ("value", *ENDS, "n", *ORIGIN)
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a figure rests on. ``licence``: what it may be read as, such as "population: ..." or "sample: ...";
    it starts with "none" where nothing may be read off it, and with "provisional" where answers are missing.
    ``golden_version``: with its erasures, "unpublished" before one is. ``policy_version``: of the policy that stands
    beside it, or of several, each behind its policy's name (``versions_of``). ``items``: a path on Goldfold's API that
    names the items behind it, a page at a time (``labeling.item_pages``)."""

    licence: str
    golden_version: str
    policy_version: str
    items: str

    def of(self, told: Mapping[str, object]) -> Json:
        """The figure ``told`` with its origin."""
        return {**told, **self.as_dict()}

    def within(self, told: Mapping[str, object]) -> Json:
        """``told`` with this origin in each figure that it holds, at any depth: in each object that has ends. What a
        figure says of its own origin stays."""
        shown = {name: self._within(value) for name, value in told.items()}
        return {**self.as_dict(), **shown} if shown.keys() >= {*ENDS} else shown

    def _within(self, value: object) -> object:
        if isinstance(value, Mapping):
            return self.within(value)
        return [self._within(one) for one in value] if isinstance(value, (list, tuple)) else value

    def as_dict(self) -> Json:
        """JSON-able."""
        return {name: getattr(self, name) for name in ORIGIN}


def versions_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs of policy and version as a figure names them: "fraud 1.0.0, hate 2.1.0"."""
    return ", ".join(f"{policy} {version}" for policy, version in sorted(set(pairs)))


def link(path: str, **filters: object) -> str:
    """``path`` with those ``filters`` that are not None as its query, in the order given; a list is given once each."""
    told = {name: value for name, value in filters.items() if value is not None}
    return f"{path}?{urlencode(told, doseq=True, safe=':,/')}" if told else path
