"""A decision tree as a guide to print: HTML and PDF, which say the same and bear the same tree hash.

Both are made without a clock and without content: examples are named by their ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from fpdf import FPDF
from jinja2 import Environment, StrictUndefined
from matplotlib import get_data_path

from labeling.policies import Policy
from labeling.sop.tree import Leaf, Sop, Step

_PAGE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font: 12pt/1.5 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
section { break-inside: avoid; border-top: 1px solid #999; margin-top: 1rem }
h2 { font-size: 1.1rem; margin: .6rem 0 }
footer { font-size: 9pt; color: #555; word-break: break-all; margin-top: 2rem }
</style>
<h1>{{ title }}</h1>
{% for part in parts %}
<section id="{{ part.id }}">
<h2>{{ part.head }}</h2>
{% for line in part.lines %}
<p>{{ line.text }}{% if line.to %} <a href="#{{ line.to }}">{{ line.to }}</a>{% endif %}</p>
{% endfor %}
</section>
{% endfor %}
<footer>{{ foot }}</footer>
</html>
"""
)
_UNDATED = datetime(2000, 1, 1, tzinfo=UTC)  # the same tree makes the same bytes


class _Line(NamedTuple):
    """``to``: the part that it leads to, or ""."""

    text: str
    to: str = ""


class _Part(NamedTuple):
    id: str
    head: str
    lines: tuple[_Line, ...]


def guide_html(sop: Sop, policy: Policy) -> str:
    """One page that needs nothing beside it."""
    return _PAGE.render(title=_title(sop, policy), parts=list(_parts(sop, policy)), foot=_foot(sop, policy))


def guide_pdf(sop: Sop, policy: Policy) -> bytes:
    """The same, on A4."""
    fonts = f"{get_data_path()}/fonts/ttf"
    pdf = FPDF(format="A4")
    pdf.set_creation_date(_UNDATED)
    pdf.set_title(_title(sop, policy))
    pdf.add_font("guide", "", f"{fonts}/DejaVuSans.ttf")
    pdf.add_font("guide", "B", f"{fonts}/DejaVuSans-Bold.ttf")
    pdf.set_auto_page_break(auto=True, margin=18)
    pdf.add_page()
    _write(pdf, _title(sop, policy), size=18, style="B", gap=3)
    parts = list(_parts(sop, policy))
    places = {part.id: pdf.add_link() for part in parts}
    for part in parts:
        if pdf.will_page_break(30):
            pdf.add_page()
        pdf.set_link(places[part.id], y=pdf.get_y(), page=pdf.page_no())
        _write(pdf, part.head, size=12, style="B", gap=1)
        for line in part.lines:
            _write(pdf, f"{line.text} {line.to}".rstrip(), size=10, link=places.get(line.to))
        pdf.ln(3)
    _write(pdf, _foot(sop, policy), size=8)
    return bytes(pdf.output())


def _write(pdf: FPDF, text: str, *, size: int, style: str = "", gap: float = 0, link: int | None = None) -> None:
    pdf.set_font("guide", style, size)
    pdf.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT", link=link or "", align="L")
    pdf.ln(gap)


def _title(sop: Sop, policy: Policy) -> str:
    return f"{policy.title}: how to decide ({sop.id} {sop.version})"


def _foot(sop: Sop, policy: Policy) -> str:
    return f"policy {policy.id} {policy.version}, tree {sop.tree_hash}"


def _parts(sop: Sop, policy: Policy) -> Iterator[_Part]:
    yield _Part("policy", "The policy", tuple(_Line(line) for line in policy.text.splitlines()))
    for number, step in enumerate(sop.steps, 1):
        yield _Part(step.id, f"{number}. {step.question}", tuple(_step_lines(step)))
    for leaf in sop.leaves:
        yield _Part(leaf.id, f"Verdict: {leaf.id}", tuple(_leaf_lines(leaf)))


def _step_lines(step: Step) -> Iterator[_Line]:
    for cue in step.look_for:
        yield _Line(f"Look for: {cue}")
    for choice in step.answers:
        yield _Line(f"{choice.says}: go to", choice.go)
    for told, ids in (("Cases", step.examples.positive), ("Near misses", step.examples.near_miss)):
        if ids:
            yield _Line(f"{told}: {', '.join(ids)}")


def _leaf_lines(leaf: Leaf) -> Iterator[_Line]:
    rule = f", rule {leaf.rule}, severity S{leaf.severity}" if leaf.rule else ""
    yield _Line(f"{leaf.outcome.value}{rule}. Action: {leaf.action}.")
    for exception in leaf.exceptions:
        yield _Line(
            f"Not where {exception.text}" + (", asked at" if exception.asked_at else ""), exception.asked_at or ""
        )
