"""A weekly pack to read: Markdown, HTML and PDF. All three are the same lines in the same order, and bear the same
content hash; none holds a script, or asks for anything outside itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fpdf import FPDF
from jinja2 import Environment, StrictUndefined
from matplotlib import get_data_path

from labeling.weekly_records import Pack, Signature

_PAGE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ lines[0].text }}</title>
<style>
body { font: 12pt/1.5 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.2rem; border-top: 1px solid #999; padding-top: .6rem }
h3 { font-size: 1rem; margin-bottom: 0 }
p { margin: .2rem 0; overflow-wrap: anywhere }
footer { font-size: 9pt; color: #555; word-break: break-all; margin-top: 2rem }
</style>
{% for line in lines %}
<{{ line.tag }}>{{ line.text }}</{{ line.tag }}>
{% endfor %}
</html>
"""
)
_UNDATED = datetime(2000, 1, 1, tzinfo=UTC)  # the same pack makes the same bytes
_MARKS = {"h1": "# ", "h2": "## ", "h3": "### ", "p": "", "footer": ""}
_SIZES = {"h1": (18, "B", 3.0), "h2": (14, "B", 2.0), "h3": (11, "B", 1.0), "p": (10, "", 0.0), "footer": (8, "", 0.0)}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LEAD = re.compile(r"^(\d*)([-+=.)])")


class Line(NamedTuple):
    """One line of a pack: an HTML tag, and plain text without line breaks."""

    tag: str
    text: str


def lines(pack: Pack, signature: Signature | None) -> list[Line]:
    """The whole pack, from its title to its hash."""
    return [Line(tag, " ".join(text.split())) for tag, text in _lines(pack, signature)]


def pack_markdown(pack: Pack, signature: Signature | None) -> str:
    """Markdown, in which no text of the pack can act as markup."""
    return "".join(f"{_MARKS[tag]}{_escaped(text)}\n\n" for tag, text in lines(pack, signature))


def pack_html(pack: Pack, signature: Signature | None) -> str:
    """One page that needs nothing beside it."""
    return _PAGE.render(lines=lines(pack, signature))


def pack_pdf(pack: Pack, signature: Signature | None) -> bytes:
    """The same, on A4."""
    fonts, told = f"{get_data_path()}/fonts/ttf", lines(pack, signature)
    pdf = FPDF(format="A4")
    pdf.set_creation_date(_UNDATED)
    pdf.set_title(told[0].text)
    pdf.set_keywords(pack.content_hash)
    pdf.add_font("pack", "", f"{fonts}/DejaVuSans.ttf")
    pdf.add_font("pack", "B", f"{fonts}/DejaVuSans-Bold.ttf")
    pdf.set_auto_page_break(auto=True, margin=18)
    pdf.add_page()
    for tag, text in told:
        size, style, gap = _SIZES[tag]
        pdf.set_font("pack", style, size)
        pdf.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT", align="L")
        pdf.ln(gap)
    return bytes(pdf.output())


def figure_line(figure: Mapping[str, Any]) -> str:
    """A figure as it may be quoted."""
    ends = " to ".join("?" if figure[name] is None else f"{figure[name]:.3f}" for name in ("low", "high"))
    value = "insufficient" if figure["value"] is None else f"{figure['value']:.3f}"
    return (
        f"{figure['name']}: {value} ({ends}), n {figure['n']}; licence: {figure['licence']}; "
        f"golden {figure['golden_version']}; policy {figure['policy_version']}; items: {figure['items']}"
    )


def _lines(pack: Pack, signature: Signature | None) -> Iterator[tuple[str, str]]:
    body: Mapping[str, Any] = pack.body
    yield "h1", f"Quality of {pack.week}, revision {pack.revision}"
    yield "p", _standing(signature)
    yield (
        "p",
        f"{body['from']} to {body['to']} ({body['zone']}), as of {body['as_of']}; golden {body['golden_version']}",
    )
    for section in body["sections"]:
        yield "h2", section["title"]
        if section["note"]:
            yield "p", section["note"]
        for entry in section["entries"]:
            yield "h3", entry["head"]
            for line in entry["lines"]:
                yield "p", line
            for figure in entry["figures"]:
                yield "p", figure_line(figure)
            if entry["link"]:
                yield "p", f"More: {entry['link']}"
    yield "footer", f"content {pack.content_hash}"


def _standing(signature: Signature | None) -> str:
    if signature is None:
        return "DRAFT: nobody has signed it."
    return f"Signed by {signature.signer} on {signature.signed_at:%Y-%m-%d %H:%M} UTC."


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, and takes for no list, heading or table."""
    return _LEAD.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text))
