"""What every figure must say of itself, checked on any answer: an object that has ends is a figure, at any depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labeling.figures import ENDS, FIGURE, ORIGIN


def figures(told: Any, at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each figure of an answer, with where it stands."""
    if isinstance(told, Mapping):
        if set(ENDS) <= told.keys():
            yield at, told
        for name, inner in told.items():
            yield from figures(inner, f"{at}.{name}")
    elif isinstance(told, (list, tuple)):
        for place, inner in enumerate(told):
            yield from figures(inner, f"{at}[{place}]")


def lacking(told: Any) -> list[str]:
    """``where: what`` for all that the figures of an answer do not say."""
    found = []
    for at, figure in figures(told):
        found += [f"{at}: {name}" for name in FIGURE if name not in figure]
        found += [f"{at}: {name} is no text" for name in ORIGIN if not isinstance(figure.get(name, ""), str)]
        found += [f"{at}: {name} is empty" for name in ("licence", "items") if figure.get(name) == ""]
        link = figure.get("items")
        found += [f"{at}: items is no path"] if link and not str(link).startswith("/v1/") else []
    return found


def assert_whole(told: Any, least: int = 1) -> list[Mapping[str, Any]]:
    """Every figure of the answer can be quoted by itself, and there are ``least`` or more; they are returned."""
    assert lacking(told) == []
    found = [figure for _, figure in figures(told)]
    assert len(found) >= least, f"{len(found)} figures"
    return found
