from __future__ import annotations

from benchmarks.selection import measure_ranked_batch


def test_the_ranked_batch_is_timed_beside_modal_for_the_same_picks() -> None:
    ours, theirs = measure_ranked_batch(items=400, picks=8)
    assert ours > 0
    assert theirs > 0
