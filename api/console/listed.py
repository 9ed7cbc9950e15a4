"""What the API answers under an address, made ready for a person: which address it is, and its rows as cells.

Nothing is computed here. Content, and words that quote content, are left out; of an item about which a question is
open, so is what would sway who answers it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from labeling.errors import InvalidInput, NotFound

CONTENT = ("text", "media", "image", "image_blurred", "terms", "words", "examples")
QUOTING = ("rationale",)  # what may quote content
SWAYING = ("lane", "pi", "probability", "reasons", "scores", "disagreement")
PAGING = ("after", "limit", "offset")
UNREAD = ("task_id", "parent_task_id")  # ids that nobody reads
STREAMS = re.compile(r"/events$")
NAMES = {
    "item_id": "item",
    "external_id": "item",
    "policy_id": "policy",
    "round_id": "round",
    "model_id": "model",
    "task_id": "task",
    "alert_id": "alert",
    "studio_url": "in Label Studio",
    "pi": "chance of being picked",
    "sha256": "hash",
}
# Of each address what it lists, in the words of who reads; the first that can be filled in counts.
TITLES: Mapping[str, tuple[str, ...]] = {
    "/v1/agreement/items": ("Items behind the agreement on {policy}", "Items behind the agreement"),
    "/v1/anchoring/items": ("Items answered blind and beside a suggestion",),
    "/v1/coverage": ("How much of the traffic lies near gold",),
    "/v1/coverage/items": ("Items behind the coverage",),
    "/v1/decisions": ("Decisions",),
    "/v1/decisions/days": ("Decisions by day",),
    "/v1/findings": ("Findings",),
    "/v1/findings/{finding_id}": ("Finding {finding_id}",),
    "/v1/gates": ("Verdicts of the gate",),
    "/v1/gates/queries": ("Sealed questions that were asked",),
    "/v1/gates/{gate_id}": ("Verdict {gate_id}",),
    "/v1/golden": ("Strata of gold",),
    "/v1/golden/errors": ("Labels that look wrong",),
    "/v1/golden/items": ("Golden items of {version} behind the figure", "Golden items behind the figure"),
    "/v1/golden/items/{external_id}": ("History of the golden item {external_id}",),
    "/v1/golden/versions": ("Golden versions",),
    "/v1/golden/versions/{version}": ("Golden version {version}",),
    "/v1/golden/versions/{version}/errata": ("Known errors of golden version {version}",),
    "/v1/interception/items": ("Items behind the interception of {policy}", "Items behind the interception"),
    "/v1/items/{external_id}": ("Item {external_id}",),
    "/v1/jobs": ("Jobs",),
    "/v1/kpi/items": ("Items behind the change of the error rate",),
    "/v1/leads/items": ("Items that two leads decided",),
    "/v1/models": ("Models",),
    "/v1/models/{model_id}": ("Model {model_id}",),
    "/v1/models/{model_id}/history": ("Moves of the model {model_id}",),
    "/v1/objections": ("Objections",),
    "/v1/patterns/{pattern_id}/items": ("Items behind the pattern",),
    "/v1/people/items": ("Items behind the answers of {person}", "Items behind people's answers"),
    "/v1/policies/{policy_id}/bridge/items": ("Items behind the bridge of {policy_id}",),
    "/v1/policies/{policy_id}/effects/items": ("Decisions before and after a change of {policy_id}",),
    "/v1/policies/{policy_id}/stale": ("Stale labels of {policy_id}",),
    "/v1/policies/{policy_id}/versions": ("Versions of the policy {policy_id}",),
    "/v1/population/items": ("Items behind the figures about traffic",),
    "/v1/qa/decisions": ("Sampled decisions of {day}", "Sampled decisions"),
    "/v1/qa/items": ("Items behind the daily QA of {day}", "Items behind the daily QA"),
    "/v1/rounds": ("Rounds",),
    "/v1/rounds/{round_id}": ("Round {round_id}",),
    "/v1/rounds/{round_id}/picks": ("Picks of round {round_id}",),
    "/v1/rounds/{round_id}/yield": ("What round {round_id} brought",),
    "/v1/signals": ("Signals by day",),
    "/v1/signals/items": ("Items behind the signals",),
    "/v1/stops": ("Items that were stopped",),
    "/v1/tasks": ("Tasks of round {round_id}", "Tasks"),
    "/v1/tasks/{task_id}/annotations": ("Answers to a task",),
    "/v1/trends": ("Alerts",),
    "/v1/trends/{alert_id}/items": ("Items behind the alert",),
    "/v1/weekly": ("Weekly packs",),
    "/v1/yield": ("What rounds brought",),
    "/v1/yield/items": ("Settled picks of the lane {lane}", "Settled picks"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A filter of an address: its ``choices``, where there are no others; ``needed``: the API wants it."""

    name: str
    label: str
    kind: str  # select, check, number or text
    value: str
    hint: str
    choices: tuple[str, ...]
    needed: bool


@dataclass(frozen=True, slots=True)
class Address:
    """A list of the API: ``template`` and what stands in its places, and the query."""

    path: str
    template: str
    places: Mapping[str, str]
    query: Mapping[str, list[str]]
    parameters: Sequence[Mapping[str, Any]]  # as OpenAPI tells them

    def __str__(self) -> str:
        return self.path + (f"?{urlencode(self.query, doseq=True)}" if self.query else "")

    @property
    def known(self) -> set[str]:
        """The parameters of the query that the API knows."""
        return {each["name"] for each in self.parameters if each["in"] == "query"}

    @property
    def title(self) -> str:
        """What it lists, in words."""
        said = dict(self.places) | {name: values[0] for name, values in self.query.items() if values[0]}
        for title in TITLES.get(self.template, ()):
            if set(re.findall(r"{(\w+)}", title)) <= set(said):
                return title.format_map(said)
        return f"What the API answers at {self.path}"

    def with_(self, **more: str) -> Address:
        """The same with other parameters; those that are empty are left out."""
        merged = {name: values for name, values in self.query.items() if name not in more}
        merged |= {name: [value] for name, value in more.items() if value}
        return Address(self.path, self.template, self.places, merged, self.parameters)

    def most(self) -> int | None:
        """The most rows that one answer may have, where the API says so."""
        for each in self.parameters:
            if each["name"] == "limit":
                most = each["schema"].get("maximum")
                return int(most) if most is not None else None
        return None

    def fields(self, schemas: Mapping[str, Any]) -> list[Field]:
        """Its filters; those that may come several times are none, and stay as they are."""
        mine = [each for each in self.parameters if each["in"] == "query" and each["name"] not in PAGING]
        made = (self._field(each, _plain(each["schema"], schemas)) for each in mine)
        return [each for each in made if each is not None]

    def _field(self, told: Mapping[str, Any], schema: Mapping[str, Any]) -> Field | None:
        kinds = {"boolean": "check", "integer": "number", "number": "number", "string": "text"}
        kind = "select" if "enum" in schema else kinds.get(str(schema.get("type")))
        if kind is None:
            return None
        name = str(told["name"])
        return Field(
            name,
            NAMES.get(name, name).replace("_", " "),
            kind,
            next(iter(self.query.get(name, [])), ""),
            str(told.get("description", "")),
            tuple(map(str, schema.get("enum", ()))),
            bool(told.get("required")),
        )


def address(of: str, paths: Mapping[str, Any]) -> Address:
    """``of`` as one of the API's ``paths`` (OpenAPI). Raises InvalidInput for another place, NotFound for none."""
    parts = urlsplit(of)
    if parts.scheme or parts.netloc or not parts.path.startswith("/v1/"):
        raise InvalidInput("of: expected an address of the API such as /v1/rounds")
    for template in sorted(paths, key=lambda each: each.count("{")):
        found = _shape(template).fullmatch(parts.path)
        if found and "get" in paths[template] and not STREAMS.search(template):
            told = paths[template]["get"].get("parameters", ())
            query = parse_qs(parts.query)
            places = {name: unquote(value) for name, value in found.groupdict().items()}
            return Address(parts.path, template, places, query, told)
    raise NotFound(f"there is no list at {parts.path}")


def bare(answer: Any) -> Any:
    """Without content: that stands on an item's own page alone, where asking for it is noted."""
    if isinstance(answer, list):
        return [bare(each) for each in answer]
    if isinstance(answer, dict):
        return {name: bare(each) for name, each in answer.items() if name not in (*CONTENT, *QUOTING)}
    return answer


def rows_of(answer: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """``items``, or else the longest table of an answer, as rows; and what else it says."""
    if isinstance(answer, dict):
        lists = {name: value for name, value in answer.items() if isinstance(value, list)}
        whole = [name for name, value in lists.items() if value and isinstance(value[0], dict)]
        chosen = "items" if "items" in lists else max(whole or lists, key=lambda name: len(lists[name]), default=None)
        rest = {name: value for name, value in answer.items() if name != chosen}
        return _rows(lists[chosen]) if chosen is not None else [], rest
    return _rows(answer), {}


def item_ids(told: Any) -> set[str]:
    """Every item id in it."""
    return set(_ids(told))


def hushed(row: Mapping[str, Any], asked: Collection[str]) -> dict[str, Any]:
    """A row without what would sway who answers, where a question about its item is open (``asked``)."""
    if row.get("item_id") not in asked:
        return dict(row)
    return {name: None if name in SWAYING else value for name, value in row.items()}


def columns(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    """Of a table of these rows: each field's name, its head in words, and whether all of it are numbers. The item comes
    first, once."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if "external_id" in names and "item_id" in names:
        names.remove("item_id")
    names.sort(key=lambda name: (name in UNREAD) - (name in ("external_id", "item_id")))
    return [(name, NAMES.get(name, name).replace("_", " ").capitalize(), _numeric(rows, name)) for name in names]


def console_page(name: str, value: str) -> str:
    """The console's page of what ``value`` names, "" where there is none."""
    pages = {"round_id": "/console/rounds/", "model_id": "/console/models/", "alert_id": "/console/trends/"}
    return pages[name] + quote(value, safe="") if name in pages and value else ""


def _rows(values: Sequence[Any]) -> list[dict[str, Any]]:
    return [each if isinstance(each, dict) else {"value": each} for each in values]


def _ids(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for name, value in told.items():
            if name == "item_id" and isinstance(value, str):
                yield value
            elif name == "item_ids" and isinstance(value, list):
                yield from (each for each in value if isinstance(each, str))
            else:
                yield from _ids(value)
    elif isinstance(told, list):
        for each in told:
            yield from _ids(each)


def _numeric(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    values = [row[name] for row in rows if row.get(name) is not None]
    return bool(values) and all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)


def _plain(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """A parameter's schema without the choice of none, and looked up where it has a name."""
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null":
            return _plain(each, schemas)
    named = schema.get("$ref")
    return schemas[named.rpartition("/")[2]] if named else schema


@cache
def _shape(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template))
