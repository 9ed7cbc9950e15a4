from __future__ import annotations

import numpy as np

from labeling.quality.clusters import F32, clusters, terms

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


def test_terms_set_a_cluster_apart_and_name_no_account() -> None:
    _, texts = themes()
    codes = np.repeat(np.arange(3), 60)
    told = terms(texts, codes)
    assert [words[0] for words in told] == list(WORDS)
    assert not {"17", "user"} & {word for words in told for word in words}
    rare = terms(["bread"] * 4 + ["train"] * 6, np.array([0] * 4 + [1] * 6))
    assert rare == ((), ("train",))  # a word of four texts may point at one of them
    assert terms(["17", "18"], np.array([0, 1])) == ((), ())
