"""The weekly pack: drafted from the ledger, named by its content, signed by a person, alike on three kinds of page."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling.decision_records import ErrorType
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.figures import FIGURE
from labeling.golden.planner import plan_gold
from labeling.insights import causes
from labeling.insights.coverage import Asked, coverage
from labeling.insights.qa_report import Targets
from labeling.insights.weekly import Inputs, content_hash, draft, newest, sign, signature_of, week_of
from labeling.insights.weekly_pages import figure_line, lines, pack_html, pack_markdown, pack_pdf
from labeling.insights.weekly_parts import entry
from labeling.weekly_records import Pack, Signature
from tests.labeling.insights.production import DAY, open_production
from tests.labeling.insights.test_causes import TOLD, WANTED, judged_day, opened
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.shop import Shop

WEEK = "2026-W09"  # of 28 February
AT = datetime(2026, 3, 1, 18, tzinfo=UTC)
NASTY = '<script>alert(1)</script> *bold* [x](http://evil.example) | # & "1. first"\nnew line \U0001f600 مَن؟'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 60)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def inputs(shop: Shop, **changes: object) -> Inputs:
    return replace(Inputs(shop.policies, actions=ACTIONS, targets=Targets(0.95)), **changes)  # type: ignore[arg-type]


def drafted(shop: Shop, at: datetime = AT, **changes: object) -> Pack:
    return draft(shop.ledger, WEEK, inputs(shop, **changes), "ann", at)


def parts(pack: Pack) -> dict[str, Any]:
    sections: Any = pack.body["sections"]
    return {section["id"]: section for section in sections}


def test_an_empty_week_says_so_section_by_section(shop: Shop) -> None:
    told = parts(drafted(shop))
    assert list(told) == ["findings", "patterns", "gaps", "risks", "asks", "actions"]
    assert told["findings"]["note"] == "Nothing this week."
    assert told["patterns"]["note"] == "Nothing was given to this draft."
    assert told["gaps"]["note"] == "No coverage: not asked for"
    assert told["risks"]["note"].startswith("Days of daily QA: none.")


def test_a_whole_week_from_breach_to_proof(shop: Shop) -> None:
    judged_day(shop, DAY, range(12), range(40))
    made = opened(shop)
    causes.code_finding(shop.ledger, made.finding_id, "G.no_example", "", "bob", AT)
    early = AT - timedelta(hours=30)
    done, late = (
        causes.agree_action(shop.ledger, made.finding_id, replace(WANTED, due=due), ACTIONS, "ann", early)
        for due in (date(2026, 3, 20), date(2026, 2, 1))
    )
    causes.finish(shop.ledger, done.action_id, "ann", "", early)
    asked = Asked("fraud", 0.6)
    found = coverage(shop.ledger, shop.lake, shop.scorer(), shop.policies, asked)
    plan = plan_gold((shop.ledger.golden, shop.ledger.rounds), shop.lake, shop.policies, shop.shares, partition="train")
    told = parts(drafted(shop, coverage=found, plan=plan))

    (finding,) = [one for one in told["findings"]["entries"] if "settled" in one["lines"][1]]  # `opened` may open more
    assert "opened, settled; severity 3; cause: G.no_example" in finding["lines"][1]
    (breach,) = told["risks"]["entries"]
    assert breach["head"] == "2026-02-28: project forum is below target"
    assert breach["figures"][0]["n"] == 40
    heads = [one["head"] for one in told["gaps"]["entries"]]
    assert heads[0] == "Coverage"
    assert heads[-1].endswith("labels close them all")
    (owner,) = told["asks"]["entries"]
    assert owner["head"] == "policy"
    assert f"{late.action_id} ({made.finding_id}): Add an example; due 2026-02-01; LATE" in owner["lines"]
    (proof,) = told["actions"]["entries"]
    assert proof["head"] == f"{done.action_id}: not yet"
    assert [one["name"] for one in proof["figures"]] == ["before", "after"]
    for section in told.values():
        for one in section["entries"]:
            assert all(set(FIGURE) <= set(figure) for figure in one["figures"])
            assert not any("it-0" in line for line in one["lines"])


def test_a_verified_action_is_told_in_its_week_alone(shop: Shop) -> None:
    made = opened(shop)
    causes.code_finding(shop.ledger, made.finding_id, "P.gap", "", "bob", AT)
    action = causes.agree_action(shop.ledger, made.finding_id, WANTED, ACTIONS, "ann", AT - timedelta(days=3))
    causes.finish(shop.ledger, action.action_id, "ann", "", AT - timedelta(days=3))
    judged_day(shop, DAY, range(0), range(40))
    assert causes.verify(shop.ledger, action.action_id, ACTIONS, "ann", AT)["proof"] == "verified"
    (proof,) = parts(drafted(shop))["actions"]["entries"]
    assert (proof["head"], proof["figures"][1]["value"]) == (f"{action.action_id}: verified", 1.0)
    later = draft(shop.ledger, "2026-W10", inputs(shop), "ann", AT + timedelta(days=3))
    assert parts(later)["actions"]["entries"] == []


def test_a_code_is_not_told_before_the_second_coder_has_coded(shop: Shop) -> None:
    made = opened(shop, double=True)
    causes.code_finding(shop.ledger, made.finding_id, "P.gap", "hush", "bob", AT)
    text = pack_markdown(drafted(shop), None)
    assert "waits for a second code" in text
    assert "P.gap" not in text
    assert "hush" not in text


def test_the_same_ledger_gives_the_same_draft_and_another_names_what_it_supersedes(shop: Shop) -> None:
    first = drafted(shop)
    assert drafted(shop, AT + timedelta(hours=1)) == first
    assert first.content_hash == content_hash(first.body)
    made = opened(shop)
    second = drafted(shop)
    assert (second.revision, second.body["supersedes"]) == (1, first.content_hash)
    assert newest(shop.ledger, WEEK) == second
    assert made.finding_id in str(second.body)
    assert [pack.content_hash for pack in shop.ledger.weekly.packs(WEEK)] == [first.content_hash, second.content_hash]


def test_a_signed_revision_is_frozen(shop: Shop) -> None:
    first = drafted(shop)
    with pytest.raises(Conflict, match="read and sign that one"):
        sign(shop.ledger, WEEK, "0000", "Ana", AT)
    with pytest.raises(InvalidInput, match="by: say who signs"):
        sign(shop.ledger, WEEK, "", " ", AT)
    made = sign(shop.ledger, WEEK, first.content_hash[:8], "Ana", AT)
    assert signature_of(shop.ledger, first) == made
    with pytest.raises(Conflict, match="revision 1 is signed by Ana"):
        sign(shop.ledger, WEEK, "", "Eve", AT)
    with pytest.raises(Conflict, match="revision 1 is signed by Ana"):
        shop.ledger.weekly.add(replace(first, content_hash="other"))
    second = drafted(shop)
    assert (second.revision, newest(shop.ledger, WEEK, 1), signature_of(shop.ledger, second)) == (2, first, None)
    assert "DRAFT" in pack_markdown(second, None)
    assert "Signed by Ana" in pack_markdown(first, made)


def test_only_the_newest_draft_is_signed(shop: Shop) -> None:
    first = drafted(shop)
    opened(shop)
    drafted(shop)
    signature = Signature(WEEK, 1, first.content_hash, "Ana", AT)
    with pytest.raises(Conflict, match="a newer draft"):
        shop.ledger.weekly.sign(signature)
    with pytest.raises(NotFound, match="there is no draft 'x'"):
        shop.ledger.weekly.sign(replace(signature, content_hash="x"))


def test_weeks_are_checked(shop: Shop) -> None:
    assert week_of(datetime(2026, 3, 2, 8, tzinfo=UTC), "UTC") == WEEK  # a Monday
    for wrong in ("2026-09", "2026-W54", "W09"):
        with pytest.raises(InvalidInput, match="write it as 2026-W48"):
            newest(shop.ledger, wrong)
    with pytest.raises(NotFound, match="has no draft"):
        newest(shop.ledger, WEEK)
    with pytest.raises(InvalidInput, match="has not begun yet"):
        draft(shop.ledger, "2030-W01", inputs(shop), "ann", AT)


def test_three_pages_say_the_same_and_what_people_wrote_is_text(shop: Shop) -> None:
    opened(shop, replace(TOLD, title=NASTY[:60], statement=NASTY, error_type=ErrorType.OVER))
    pack = drafted(shop, patterns=[entry("one pattern", [NASTY])], alerts=[entry("an alert")])
    said = lines(pack, None)
    assert said[-1].text == f"content {pack.content_hash}"
    page, text, pdf = pack_html(pack, None), pack_markdown(pack, None), pack_pdf(pack, None)
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=", page)
    assert len(re.findall(r"<(?:h1|h2|h3|p|footer)>", page)) == len(said) == text.count("\n\n")
    assert "\\<script\\>" in text
    assert "\\[x\\](http" in text
    for made in (page, text):
        assert pack.content_hash in made
    assert pdf.startswith(b"%PDF-")
    assert pdf == pack_pdf(pack, None)
    assert pack.content_hash.encode() in pdf
    assert zlib.decompress(re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)[0])


def test_a_figure_can_be_quoted_by_itself() -> None:
    told = {
        "name": "accuracy", "value": None, "low": None, "high": 1.0, "n": 3, "licence": "none",
        "golden_version": "1.0.0", "policy_version": "fraud 1.0.0", "items": "/v1/x",
    }  # fmt: skip
    line = "accuracy: insufficient (? to 1.000), n 3; licence: none; golden 1.0.0; policy fraud 1.0.0; items: /v1/x"
    assert figure_line(told) == line
