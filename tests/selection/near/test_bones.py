from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.near.bones import bones, letters

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
    assert bones("you are all going to pray for this") != WORDS


def test_texts_of_pictures_alone_stay_apart() -> None:
    assert bones("\U0001f602") != bones("\U0001f44d")
    assert bones("\U0001f602") != ""


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=40))
def test_twice_is_once(text: str) -> None:
    assert bones(bones(text)) == bones(text)


@settings(deadline=None)
@given(st.text(alphabet="abc def", max_size=20), st.text(alphabet="\u200b\u200d\u2060\ufe0f", max_size=5))
def test_invisible_padding_never_matters(text: str, padding: str) -> None:
    assert bones(padding.join(text)) == bones(text)


@pytest.mark.parametrize(
    "copy",
    [
        "YouAreAllGoingToPayForThis!!!",
        "y o u  a r e  a l l  g o i n g  t o  p a y  f o r  t h i s",
        "you-are-all-going-to-pay-for-this \U0001f602",
        "yоu... аre аll gоing tо рay fоr this?",
        "¿you are «all» going to pay for this",
    ],
)
def test_letters_undo_spacing_and_punctuation_too(copy: str) -> None:
    assert letters(copy) == letters(WORDS)


def test_letters_keep_what_a_script_needs() -> None:
    assert letters("क्या हाल है") == "क्याहालहै"  # vowel signs are marks, not punctuation
    assert letters("3 + 4") == "34"


def test_a_text_of_signs_alone_keeps_them() -> None:
    assert letters("! ?") == "!?"
    assert letters("\U0001f602") != letters("\U0001f44d")
    assert letters(" \u200b") == ""


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_letters_are_those_of_the_bones(text: str) -> None:
    assert letters(text) == letters(bones(text))


@pytest.mark.parametrize(
    "copy",
    [
        "Y\u0336o\u0336u\u0336 a\u0301re al\u0308l going t\u0334o pay f\u20d2or th\u0327is",  # marks piled on letters
        "Yοu are all gοing το ΡΑΥ fοr ΤΗΙS",  # Greek capitals, of which eta and upsilon have other small letters
        "ʏᴏᴜ ᴀʀᴇ ᴀʟʟ ɢᴏɪɴɢ ᴛᴏ ᴘᴀʏ ꜰᴏʀ ᴛʜɪꜱ",
        "Ⓨⓞⓤ ⓐⓡⓔ ⓐⓛⓛ ⓖⓞⓘⓝⓖ ⓣⓞ ⓟⓐⓨ ⓕⓞⓡ ⓣⓗⓘⓢ",
        "🆈🅾🆄 🅰🆁🅴 🅰🅻🅻 🅶🅾🅸🅽🅶 🆃🅾 🅿🅰🆈 🅵🅾🆁 🆃🅷🅸🆂",
        "you are all going to pay for this 1\ufe0f\u20e3 Ⓜ\ufe0f ℹ\ufe0f ™",  # pictographs that fold to letters
        "y\ufe0fo\ufe0fu are all going to pay for this",  # a selector is no reason to drop a letter
        "уоu аге all going to pay for this",  # Cyrillic г has the shape of a small r
        "yօս are all gօing tօ pay fօr this",  # Armenian
        "you are all going to ᏢᎪᎩ for this".replace("Ꭹ", "Ꮍ"),  # Cherokee
    ],
)
def test_more_tricks_are_undone(copy: str) -> None:
    assert bones(copy) == WORDS


def test_what_a_script_needs_is_kept() -> None:
    assert bones("क्या हाल है") == "क्या हाल है"
    assert bones("がぎぐ") == "がぎぐ"
    assert bones("ガ") == bones("ｶﾞ") != bones("カ")
    assert bones("한국어") == "한국어"
    assert bones("ΝΑΙ ΛΕΩ") == bones("ναι λεω")  # Greek stays Greek when it is written in capitals


def test_a_text_of_marks_alone_is_not_lost() -> None:
    assert bones("\u0301\u0302") != bones("\u0303")
