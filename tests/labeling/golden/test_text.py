from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.golden.text import bones, bones_hash, content_hash

WORDS = "you are all going to pay for this"


@pytest.mark.parametrize(
    "copy",
    [
        "You are ALL going to pay for this",
        "  you are\tall\n\ngoing to pay   for this ",
        "you a\u200bre all go\u00ading to p\u2060ay for this\ufeff",
        "you are all going to pay for this \U0001f602\U0001f602\ufe0f\U0001f44d\U0001f3fd",
        "yоu аre аll gоing tо рay fоr this",
        "ｙｏｕ ａｒｅ ａｌｌ ｇｏｉｎｇ ｔｏ ｐａｙ ｆｏｒ ｔｈｉｓ",
        "𝐲𝐨𝐮 𝐚𝐫𝐞 𝐚𝐥𝐥 𝐠𝐨𝐢𝐧𝐠 𝐭𝐨 𝐩𝐚𝐲 𝐟𝐨𝐫 𝐭𝐡𝐢𝐬",
        "yοu are all gοing tο pay fοr this",
    ],
)
def test_tricks_are_undone(copy: str) -> None:
    assert bones(copy) == WORDS


def test_other_words_stay_other_words() -> None:
    assert bones_hash("you are all going to pray for this") != bones_hash(WORDS)


def test_texts_of_pictures_alone_stay_apart() -> None:
    assert bones("\U0001f602") != bones("\U0001f44d")
    assert bones("\U0001f602") != ""


def test_content_hash_is_that_of_the_utf8_text() -> None:
    assert content_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=40))
def test_twice_is_once(text: str) -> None:
    assert bones(bones(text)) == bones(text)


@settings(deadline=None)
@given(st.text(alphabet="abc def", max_size=20), st.text(alphabet="\u200b\u200d\u2060\ufe0f", max_size=5))
def test_invisible_padding_never_matters(text: str, padding: str) -> None:
    assert bones(padding.join(text)) == bones(text)
