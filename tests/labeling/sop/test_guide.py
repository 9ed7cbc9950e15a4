"""The guide and the prompt: they say the whole tree, bear its hash, and let nobody's text break out."""

from __future__ import annotations

import re
import zlib

from labeling.sop.guide import guide_html, guide_pdf
from labeling.sop.prompt import prompt
from tests.labeling.sop.made import policy, sop, steps

NASTY = 'Is <script>alert(1)</script> & "more" used?'


def test_the_page_says_every_step_and_leaf_and_links_them() -> None:
    page = guide_html(sop(), policy())
    assert set(re.findall(r'<section id="(\w+)">', page)) == {
        "policy", "target", "threat", "slur", "allowed", "is_threat", "is_slur", "ask",
    }  # fmt: skip
    assert set(re.findall(r'href="#(\w+)"', page)) == {
        "threat", "slur", "allowed", "is_threat", "is_slur", "ask", "target",
    }  # fmt: skip
    assert sop().tree_hash in page
    assert "http" not in page


def test_what_a_tree_says_is_text() -> None:
    tree = sop(steps=steps(slur={"question": NASTY}))
    assert "<script" not in guide_html(tree, policy())
    assert "&lt;script&gt;" in guide_html(tree, policy())


def test_the_same_tree_makes_the_same_pdf() -> None:
    made = guide_pdf(sop(), policy())
    assert made.startswith(b"%PDF-")
    assert made == guide_pdf(sop(), policy())
    assert made != guide_pdf(sop(version="1.0.1"), policy())


def test_a_long_tree_takes_more_pages() -> None:
    long = sop(steps=steps(slur={"look_for": [f"cue {n} " * 20 for n in range(40)]}))
    pages = [len(re.findall(rb"/Type /Page\b", guide_pdf(tree, policy()))) for tree in (sop(), long)]
    assert pages[1] > pages[0] >= 1


def test_letters_of_all_alphabets_can_be_printed() -> None:
    tree = sop(steps=steps(slur={"question": "Кто это? Ποιος; مَن؟"}))
    assert zlib.decompress(next(iter(streams(guide_pdf(tree, policy())))))


def streams(pdf: bytes) -> list[bytes]:
    return re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)


def test_the_prompt_says_every_way() -> None:
    told = prompt(sop(), policy())
    assert "- yes -> verdict is_threat" in told
    assert "- no -> step slur" in told
    assert "is_threat: violates, rule threat, severity S3; action: remove; not where it is a line of a play" in told
    assert sop().tree_hash in told
    assert "i1" not in told.split()  # examples are content
