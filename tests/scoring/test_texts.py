from __future__ import annotations

import pytest

from scoring.texts import check_ids, text_fault


def test_ids_and_things_belong_together() -> None:
    check_ids(["a", "b"], ["x", "x"])
    check_ids([], [])
    with pytest.raises(ValueError, match="2 ids but 1 images"):
        check_ids(["a", "b"], ["x"], "images")
    with pytest.raises(ValueError, match="id 'a' comes more than once"):
        check_ids(["b", "a", "a"], [1, 2, 3])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fine", ""),
        ("", "empty"),
        ("\u00a0\n", "empty"),
        (b"x", "a bytes, not a string"),
        (None, "a NoneType"),
        ("half \udc00", "half a surrogate pair at character 5"),
    ],
)
def test_what_is_no_text_is_said(text: object, says: str) -> None:
    assert (says in text_fault(text)) if says else text_fault(text) == ""
