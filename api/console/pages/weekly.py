"""The weekly quality pack: read, signed, downloaded: /console/quality/weekly. For leads."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.forms import checked, given
from api.console.page import LeadAsk, Page
from api.routes.weekly import DraftIn, SignIn
from api.weekly import PAGES, draft_pack, pack, packs, sign_pack

router = APIRouter(prefix="/quality/weekly")
PATH = "/console/quality/weekly"
OF_THE_CONSOLE = (  # what the API tells that has a page of its own
    (re.compile(r"^/v1/findings/([^/?]+)$"), r"/console/quality/causes/\1"),
    (re.compile(r"^/v1/patterns/([^/?]+)$"), r"/console/quality/patterns/\1"),
    (re.compile(r"^/v1/policies/([^/?]+)$"), r"/console/policies/\1"),
)


@router.get("")
def all_packs(ask: LeadAsk) -> Response:
    """Every draft, the newest first, and who signed it."""
    return ask.show(Page("Weekly packs", "weekly_packs.html", {"packs": packs(ask.goldfold)}))


@router.post("")
def draft(ask: LeadAsk) -> Response:
    """Draft a week's pack."""
    said = checked(DraftIn, {**given(ask.form, "week"), "coverage": "coverage" in ask.form})
    made = draft_pack(ask.goldfold, said.week, ask.actor, coverage=said.coverage)
    return ask.back(f"{PATH}/{made.week}", f"This is the newest draft of {made.week}: read it, then sign it.")


@router.get("/{week}")
def one_pack(ask: LeadAsk, week: str, revision: int = 0) -> Response:
    """A week's newest draft, or a revision's."""
    told = pack(ask.goldfold, week, revision)
    document: dict[str, Any] = told["document"]
    entries = [entry for section in document["sections"] for entry in section["entries"]]
    pages = {entry["link"]: _page_of(entry["link"]) for entry in entries if entry["link"]}
    newest = pack(ask.goldfold, week)["content_hash"] == told["content_hash"]
    data = {"pack": told, "document": document, "pages": pages, "kinds": list(PAGES), "newest": newest}
    return ask.show(Page(f"Quality of {week}", "weekly_pack.html", data))


@router.post("/{week}/sign")
def sign(ask: LeadAsk, week: str) -> Response:
    """Sign the draft that was read, by its hash."""
    said = checked(SignIn, given(ask.form, "by", "content_hash"))
    made = sign_pack(ask.goldfold, week, said.by, said.content_hash)
    return ask.back(f"{PATH}/{week}", f"Signed by {made.signer}; revision {made.revision} is frozen.")


def _page_of(link: str) -> str:
    """The console's page of what a link of the API tells; "": it has none of its own."""
    for pattern, page in OF_THE_CONSOLE:
        if pattern.match(link):
            return pattern.sub(page, link)
    return ""
