"""The weekly pack in an installation: its clock, settings, coverage and golden plan around the use cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.composition import Goldfold
from api.coverage import read_coverage
from api.daily_qa import actions_of
from api.patterns import mined
from configs.qa_files import read_qa_file
from labeling.errors import NotFound, NothingToDo
from labeling.insights.qa_report import Targets
from labeling.insights.weekly import Inputs, draft, monday, newest, sign, signature_of, week_of
from labeling.insights.weekly_entries import alert_entries, pattern_entries
from labeling.insights.weekly_pages import pack_html, pack_markdown, pack_pdf
from labeling.weekly_records import Pack, Signature

SAMPLE = 20_000  # texts that a pack's coverage looks at
SHARE, HALF_WIDTH, PARTITION = 0.9, 0.1, "dev"  # what the gold it asks for shall tell
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """How a pack is rendered: by what, the file's ending, and its media type."""

    make: Callable[[Pack, Signature | None], str | bytes]
    suffix: str
    media_type: str


PAGES: Mapping[str, Page] = {
    "md": Page(pack_markdown, ".md", "text/markdown; charset=utf-8"),
    "html": Page(pack_html, ".html", "text/html; charset=utf-8"),
    "pdf": Page(pack_pdf, ".pdf", "application/pdf"),
}


def draft_pack(goldfold: Goldfold, week: str | None, actor: str, *, coverage: bool = True) -> Pack:
    """Draft a week's pack (default: that of yesterday). ``coverage``: look at the traffic too, which takes the scorer
    and some seconds. Raises InvalidInput."""
    now, file = datetime.now(UTC), read_qa_file(goldfold.settings.qa_file)
    chosen = week or week_of(now, goldfold.settings.exposure_zone)
    told, why = _coverage(goldfold) if coverage else (None, "not asked for")
    inputs = Inputs(
        policies=goldfold.policies,
        zone=goldfold.settings.exposure_zone,
        targets=Targets(file.accuracy, file.projects),
        actions=actions_of(file),
        coverage=told,
        no_coverage=why,
        plan=goldfold.gold_plan(PARTITION, SHARE, HALF_WIDTH),
        patterns=_patterns(goldfold),
        alerts=alert_entries(goldfold.ledger.trends.all(), monday(chosen)),
    )
    return draft(goldfold.ledger, chosen, inputs, actor, now)


def _patterns(goldfold: Goldfold) -> list[Json]:
    try:
        return pattern_entries(mined(goldfold))
    except NothingToDo:
        return []


def sign_pack(goldfold: Goldfold, week: str, signer: str, content: str = "") -> Signature:
    """Sign a week's newest draft. Raises InvalidInput, NotFound, Conflict."""
    return sign(goldfold.ledger, week, content, signer, datetime.now(UTC))


def packs(goldfold: Goldfold) -> list[Json]:
    """Every draft without its document, the newest first."""
    signed = {one.content_hash: one for one in goldfold.ledger.weekly.signatures()}
    return [_told(pack, signed.get(pack.content_hash)) for pack in reversed(goldfold.ledger.weekly.packs())]


def pack(goldfold: Goldfold, week: str, revision: int = 0) -> Json:
    """A week's newest draft, or a revision's, with its document. Raises InvalidInput, NotFound."""
    found = newest(goldfold.ledger, week, revision)
    return _told(found, signature_of(goldfold.ledger, found)) | {"document": found.body}


def page(goldfold: Goldfold, week: str, kind: str, revision: int = 0) -> tuple[Pack, str | bytes]:
    """The same as Markdown (md), HTML or PDF. Raises InvalidInput, NotFound."""
    if kind not in PAGES:
        raise NotFound(f"page: {kind!r} is not one of {', '.join(PAGES)}")
    found = newest(goldfold.ledger, week, revision)
    return found, PAGES[kind].make(found, signature_of(goldfold.ledger, found))


def _coverage(goldfold: Goldfold) -> tuple[Json | None, str]:
    """What is said of the traffic, or why nothing is."""
    try:
        return read_coverage(goldfold, sample=SAMPLE), ""
    except NothingToDo as nothing:
        return None, str(nothing)


def _told(found: Pack, signature: Signature | None) -> Json:
    return {
        "week": found.week,
        "revision": found.revision,
        "content_hash": found.content_hash,
        "drafted_by": found.drafted_by,
        "drafted_at": found.drafted_at,
        "signed_by": None if signature is None else signature.signer,
        "signed_at": None if signature is None else signature.signed_at,
    }
