from __future__ import annotations

from labeling.quality.names import cluster_names


def test_words_that_tell_a_cluster_apart_come_first() -> None:
    own = [f"the {word} melon rolls" for word in ("red", "ripe", "sweet", "small", "big")]
    rest = [f"the {word} river" for word in ("blue", "long", "cold", "deep", "wide", "old")]
    found = cluster_names(own + rest, [0] * 5 + [-1] * 6, [0])
    assert set(found[0][:2]) == {"melon", "rolls"}


def test_a_word_of_few_texts_or_that_could_name_somebody_is_never_shown() -> None:
    texts = [f"call @marge at 555{n} or marge@example.org http://x.example/melon secret{n}" for n in range(6)]
    said = {word for words in cluster_names(texts, [0] * 6, [0]).values() for word in words}
    assert said <= {"call"}
    one_text_over_and_over = ["hidden gem"] * 50
    assert cluster_names(one_text_over_and_over, [0] * 50, [0]) == {0: ()}
    assert cluster_names(["12", "!!"], [0, 0], [0]) == {0: ()}
    assert cluster_names([], [], [3]) == {3: ()}
