from __future__ import annotations

import numpy as np

from labeling.quality.clusters import F32, clusters
from labeling.quality.names import cluster_names

WORDS = ("bread", "train", "river")


def themes(each: int = 60) -> tuple[F32, list[str]]:
    rng = np.random.default_rng(0)
    centres = np.eye(8)[:3]
    rows = np.repeat(centres, each, axis=0) + rng.normal(0, 0.05, (3 * each, 8))
    texts = [f"the {word} of today 17 @user{i}" for word in WORDS for i in range(each)]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), texts


def test_themes_become_clusters_with_a_medoid_each() -> None:
    vectors, _ = themes()
    found = clusters(vectors)
    assert len(found.medoids) >= 3
    for code, row in enumerate(found.medoids):
        assert found.codes[row] == code
        members = np.flatnonzero(found.codes == code) // 60
        assert len(set(members.tolist())) == 1
    again = clusters(vectors)
    assert (again.codes == found.codes).all()


def test_few_items_are_one_cluster_and_none_is_none() -> None:
    assert len(clusters(themes(5)[0]).medoids) == 1
    assert len(clusters(np.zeros((0, 4), dtype=np.float32)).codes) == 0


def test_the_words_of_a_cluster_set_it_apart_and_name_no_account() -> None:
    _, texts = themes()
    codes = np.repeat(np.arange(3), 60)
    told = cluster_names(texts, codes.tolist(), range(3))
    assert [told[c][0] for c in range(3)] == list(WORDS)
    assert not {"17", "user"} & {word for words in told.values() for word in words}
    few = [f"bread {word}" for word in ("one", "two", "three", "four")]
    many = [f"train {word}" for word in ("one", "two", "three", "four", "five")]
    rare = cluster_names([*few, *few, *many], [0] * 8 + [1] * 5, range(2))
    assert rare == {0: (), 1: ("train",)}  # a word of four texts may point at one of them, however often they come
    assert cluster_names(["17", "18"], [0, 1], range(2)) == {0: (), 1: ()}
