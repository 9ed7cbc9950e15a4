from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.errors import ROOTS, STATUSES, Forbidden, NotReady, Unauthenticated, slug, status_of
from api.problems import TYPE_PREFIX
from labeling.errors import DuplicateItem, InvalidInput, PolicyError, StudioGone
from tests.api.rooms import error_classes

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def row(cls: type[Exception]) -> str:
    """The start of the table row that documents a class."""
    return f"| `{cls.__name__}` | {status_of(cls)} | `{TYPE_PREFIX}{slug(cls)}` |"


def test_every_error_of_every_room_has_a_root_a_status_and_a_sentence() -> None:
    classes = error_classes()
    assert {InvalidInput, Unauthenticated} <= set(classes)
    for cls in classes:
        assert issubclass(cls, ROOTS), f"{cls.__module__}.{cls.__name__} has no room's root as its base"
        assert 400 <= status_of(cls) < 600
        assert (cls.__doc__ or "").strip().endswith("."), f"{cls.__name__} says nothing to its reader"


def test_every_error_is_documented_and_nothing_else_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [row(cls) for cls in error_classes() if row(cls) not in page]
    assert not missing, "docs/errors.md lacks:\n" + "\n".join(missing)
    named = set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))
    assert named == {cls.__name__ for cls in error_classes()}


def test_every_error_with_a_status_of_its_own_exists() -> None:
    assert set(STATUSES) <= set(error_classes())


@pytest.mark.parametrize(
    ("cls", "status"),
    [(InvalidInput, 422), (PolicyError, 422), (DuplicateItem, 409), (StudioGone, 502), (Forbidden, 403)],
)
def test_the_nearest_class_decides(cls: type[Exception], status: int) -> None:
    assert status_of(cls) == status


def test_an_error_of_no_room_has_no_status() -> None:
    with pytest.raises(LookupError, match="ValueError belongs to no room"):
        status_of(ValueError)


def test_slugs_are_words() -> None:
    assert slug(DuplicateItem) == "duplicate-item"
    assert NotReady("x").problems == ()
