"""Every figure in the description of the API says n, interval, licence, versions and items; what is free of form, so
that nobody can see from the description whether it holds one, is named here with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from api.server import build_app
from api.service import Service
from labeling.figures import ENDS, FIGURE
from tests.api.site import WordGoldfold, settings

Schema = Mapping[str, Any]
ESTIMATES = re.compile(r"(^|_)(accuracy|recall|precision|prevalence|rate|share|lift|auprc|auroc|alpha|ac1|psi|kappa)$")
NUMBERS = {"number", "integer"}

# Numbers that are named like a figure and are none.
NO_FIGURES = {
    "PatternOut.lift": "the ratio of the two figures beside it",
    "PatternWholeOut.lift": "the ratio of the two figures beside it",
    "PatternsOut.rate": "the false-discovery rate that was asked for",
    "InjectionsOut.rate": "a setting",
    "StandingOut.stale_share": "counted over all gold of the policy, so there is no sample",
}

# Answers of which the description says no more than "an object", by the last name of the way to them.
FREE = {
    "progress": "how far a job is; counts",
    "result": "what a job answers: figures of judging are checked where tests run the job's step",
    "plan": "what a round was asked for",
    "frame": "what a round could pick from: counts, and estimates of cost by a rule of thumb",
    "metrics": "what the last evaluation and calibration answered; checked with these",
    "body": "the whole of an alert, whose figure stands in `volume`, or of a signed verdict, as `gate` answers it",
    "document": "a weekly pack; each figure of its entries is checked in tests/labeling/insights/test_weekly.py",
    "tree": "an SOP, as its file has it",
    "remarks": "what lint says of an SOP",
    "data": "a task of Label Studio",
    "versions": "what a change of policy would write",
    "touched": "counts of golden items",
    "difference": "two texts",
}
FREE_ROUTES = {
    "POST /ml/predict": "Label Studio's own form of a prediction",
    "POST /v1/trends/{alert_id}/watch": "a round: ids and counts",
    "GET /v1/decisions/days": "counts",
    "GET /v1/signals": "counts",
    "GET /v1/people/me/objections": "answers and objections, one by one",
    "GET /v1/qa/decisions": "decisions of the sample, one by one",
    "GET /v1/golden/errors": "labels that look wrong, one by one, with a score that ranks them",
    "GET /v1/golden/plan": "counts of rows, there and needed",
    "GET /v1/golden/items/{external_id}": "the history of one item",
    "GET /v1/golden/versions/{version}/diff/{other}": "what changed, row by row",
    "GET /v1/erasures": "erasures and their steps",
    "POST /v1/erasures": "erasures and their steps",
    "POST /v1/erasures/{external_id}/acknowledgements": "who has acknowledged",
    "POST /v1/policies/{policy_id}/versions": "what was published, and what follows",
    "GET /v1/policies/{policy_id}/stale": "labels one by one, with the chance that ranks them",
    "GET /v1/policies/{policy_id}/progress": "counts",
    "POST /v1/policies/{policy_id}/bridge": "rounds: ids and counts",
    "POST /v1/policies/{policy_id}/proposals/{version}/approve": "what was published, and what follows",
    "POST /v1/judgements/price": "a price by a rule of thumb",
    "GET /v1/models/{model_id}/drift": "a test whose false alarms are bounded; PSI and JSD have no interval",
}


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    given = settings(Path(tmp_path_factory.mktemp("described")))
    with Service(given, WordGoldfold(given)) as service:
        return build_app(service).openapi()


def answers(description: Schema) -> Iterator[tuple[str, Schema]]:
    """The route and schema of each answer that is no failure."""
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for code, response in operation["responses"].items():
                if code.startswith("2"):
                    for content in response.get("content", {}).values():
                        yield f"{method.upper()} {path}", content.get("schema", {})


def parts(description: Schema, schema: Schema, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Every schema within one, with the names that lead to it; a model stands for itself once on a way."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        if f"<{name}>" not in way:
            yield from parts(description, description["components"]["schemas"][name], (*way, f"<{name}>"))
        return
    yield way, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts(description, inner, (*way, name))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from parts(description, schema[key], way)
    for key in ("anyOf", "allOf", "oneOf"):
        for inner in schema.get(key, ()):
            yield from parts(description, inner, way)


def is_number(description: Schema, schema: Schema) -> bool:
    """Whether it is a number, or null."""
    found = [one for _, one in parts(description, schema)]
    return any(one.get("type") in NUMBERS for one in found) and not any("properties" in one for one in found)


def lacking(description: Schema) -> list[str]:
    """What figures in the description do not say, and numbers that look like a figure and are bare."""
    found = set()
    for name, schema in description["components"]["schemas"].items():
        short = name.rsplit("__", 1)[-1]
        for _, part in parts(description, {"$ref": f"#/{name}"}):
            own = part.get("properties", {})
            if part is not schema or not own:
                continue
            needed = set(part.get("required", ()))
            if {*ENDS} <= own.keys() or ({"value", "n"} <= own.keys() and is_number(description, own["value"])):
                found |= {f"{short}: {missing}" for missing in FIGURE if missing not in needed}
            for field, inner in own.items():
                if ESTIMATES.search(field) and is_number(description, inner) and f"{short}.{field}" not in NO_FIGURES:
                    found.add(f"{short}.{field}: is a bare number")
    return sorted(found)


def of_free_form(description: Schema) -> list[str]:
    """Answers, or parts of them, of which the description says nothing and this page no reason."""
    found = set()
    for route, schema in answers(description):
        for way, part in parts(description, schema):
            is_open = part.get("type") == "object" and part.get("additionalProperties", True) is True
            named = next((name for name in reversed(way) if not name.startswith("<")), "")
            if is_open and "properties" not in part and named not in FREE and route not in FREE_ROUTES:
                found.add(f"{route} {'.'.join(way)}".strip())
    return sorted(found)


def answered(description: Schema) -> set[str]:
    """The models that answers hold; what is only asked with is none of them."""
    ways = (way for _, schema in answers(description) for way, _ in parts(description, schema))
    return {name for way in ways for name in way if name.startswith("<")}


def test_every_figure_of_the_api_can_be_quoted_by_itself(description: dict[str, Any]) -> None:
    told = answered(description)
    schemas = {name: one for name, one in description["components"]["schemas"].items() if f"<{name}>" in told}
    assert lacking({**description, "components": {"schemas": schemas}}) == []
    assert sum("FigureOut" in str(one) for one in schemas.values()) > 25


def test_what_the_description_does_not_say_has_a_reason(description: dict[str, Any]) -> None:
    assert of_free_form(description) == []


def test_the_reasons_are_of_answers_that_there_are(description: dict[str, Any]) -> None:
    routes = {route for route, _ in answers(description)}
    assert set(FREE_ROUTES) <= routes
    ways = [way for _, schema in answers(description) for way, _ in parts(description, schema)]
    assert set(FREE) <= {name for way in ways for name in way}
    fields = {
        f"{model.rsplit('__', 1)[-1]}.{field}"
        for model, schema in description["components"]["schemas"].items()
        for field in schema.get("properties", {})
    }
    assert set(NO_FIGURES) <= fields


class Bare(BaseModel):
    """A figure that says too little."""

    value: float | None
    low: float
    high: float
    n: int
    licence: str = ""


class Broken(BaseModel):
    """An answer with such a figure, an estimate that is a bare number, and a part of no form."""

    accuracy: Bare
    recall: float | None
    more: dict[str, Any]


def test_a_broken_answer_is_found() -> None:
    app = FastAPI()

    @app.get("/broken")
    def broken() -> Broken:
        raise NotImplementedError

    described = app.openapi()
    assert lacking(described) == [
        *(f"Bare: {name}" for name in ("golden_version", "items", "licence", "policy_version")),
        "Broken.recall: is a bare number",
    ]
    assert of_free_form(described) == ["GET /broken <Broken>.more"]
