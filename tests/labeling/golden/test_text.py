from __future__ import annotations

from labeling.golden.text import bones_hash, content_hash


def test_content_hash_is_that_of_the_utf8_text() -> None:
    assert content_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_hash_of_the_bones_is_that_of_copies_too() -> None:
    assert bones_hash("You are ALL  going") == content_hash("you are all going")
    assert bones_hash("you are all going to pray") != bones_hash("you are all going to pay")
