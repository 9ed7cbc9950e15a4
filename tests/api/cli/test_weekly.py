"""The weekly pack on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.api.cli.conftest import Terminal
from tests.api.site import score_all, stock

WEEK = "2026-W09"


def test_from_a_draft_to_a_signed_pack(goldfold: Terminal, tmp_path: Path) -> None:
    with goldfold.opened() as opened:
        stock(opened, 60)
        score_all(opened)
    made = goldfold("weekly", "draft", "--week", WEEK, "--by", "ann", "--json").json
    gaps = next(one for one in made["document"]["sections"] if one["id"] == "gaps")
    assert gaps["entries"][0]["figures"][0]["n"] == 60
    again = goldfold("weekly", "draft", "--week", WEEK, "--by", "bob").out
    assert f"Draft {made['content_hash'][:12]} of {WEEK}, revision 1" in again
    assert "DRAFT: nobody has signed it" in goldfold("weekly", "show", WEEK).out
    assert "read and sign that one" in goldfold("weekly", "sign", WEEK, "--by", "Ana", "--hash", "nothing").err
    assert "is signed by Ana" in goldfold("weekly", "sign", WEEK, "--by", "Ana").out
    assert "Signed by Ana" in goldfold("weekly", "show", WEEK, "--revision", "1").out
    assert goldfold("weekly", "list", "--json").json[0]["signed_by"] == "Ana"
    file = tmp_path / "week.pdf"
    assert "pdf of 2026-W09" in goldfold("weekly", "show", WEEK, "--as", "pdf", "--out", str(file)).out
    assert file.read_bytes().startswith(b"%PDF-")
    assert "name a file with --out" in goldfold("weekly", "show", WEEK, "--as", "pdf").err
    assert "'doc' is not one of md, html, pdf" in goldfold("weekly", "show", WEEK, "--as", "doc").err


def test_a_pack_without_the_traffic_says_so(goldfold: Terminal) -> None:
    goldfold("weekly", "draft", "--week", WEEK, "--by", "ann", "--no-coverage")
    assert "No coverage: not asked for" in goldfold("weekly", "show", WEEK).out
    goldfold("weekly", "draft", "--week", WEEK, "--by", "ann")
    assert "run the score job first" in goldfold("weekly", "show", WEEK).out
    assert len(goldfold("weekly", "list", "--json").json) == 2
