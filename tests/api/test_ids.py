from __future__ import annotations

import re

import pytest

from api.ids import JOB_ID, check_id, new_id
from labeling.errors import InvalidInput


def test_new_ids_are_ids_and_differ() -> None:
    made = {new_id("round") for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"round-\d{8}-\d{6}-[0-9a-f]{8}", one) and check_id(one) == one for one in made)


@pytest.mark.parametrize("given", ["", "ab", "../x", "a/b", "a b", "abc\n", ".abc", "é" * 5, "x" * 101, "a\x00b"])
def test_what_could_be_a_path_or_no_name_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match=r"^id: .* must be 3 to 100 characters"):
        check_id(given)
    assert not re.fullmatch(JOB_ID, given)
