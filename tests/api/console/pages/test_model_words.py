from __future__ import annotations

from api.console.pages.model_words import reason_words, slice_words, value_words
from labeling.judging.slices import Cell


def test_slices_are_said_in_words() -> None:
    assert slice_words(Cell("hate_speech", "language", "pt", ()).name) == "Hate speech, Portuguese"
    assert slice_words(Cell("", "severity", "3", ()).name) == "S3"
    assert slice_words(Cell("hate_speech", "all", "", ()).name) == "Hate speech"
    assert slice_words("policy=hate_speech market=North America") == "Hate speech, North America"
    assert slice_words("everything") == "everything"
    assert value_words("language", "tlh") == "tlh"  # what has no word here keeps its tag


def test_a_reason_keeps_its_words_and_says_its_slice() -> None:
    said = reason_words("policy=hate_speech language=en: cannot tell with 9 pairs; 40 would do")
    assert said == "Hate speech, English: cannot tell with 9 pairs; 40 would do"
    assert reason_words("1 of 3 anchors are decided wrongly") == "1 of 3 anchors are decided wrongly"
