from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Body, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from structlog.testing import capture_logs

from api.app import create_app
from api.auth import Role
from api.problems import EXAMPLE, Problem, documented, problem
from configs.errors import SettingsError
from labeling.errors import DuplicateItem, InvalidInput, StudioUnreachable
from scoring.errors import ModelNotFound
from selection.errors import BudgetTooLarge
from tests.api.client import Shell, assert_problem, call


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    count: Annotated[int, Field(ge=1)] = 1


class NotARooms(DuplicateItem):
    """An error that has no status of its own."""


ERRORS: dict[str, Exception] = {
    "several": InvalidInput("row 1: text: missing; row 3: text: missing", ("row 1: text: missing", "row 3: ...")),
    "one": InvalidInput("row 1: text: missing"),
    "derived": NotARooms("external_id a: other content"),
    "studio": StudioUnreachable("Label Studio does not answer at its address; start it"),
    "settings": SettingsError("goldfold.yaml: prot: unknown key"),
    "model": ModelNotFound("no such folder"),
    "budget": BudgetTooLarge("budget: 5 picks of 3"),
}


@pytest.fixture
def app(shell: Shell) -> FastAPI:
    router = APIRouter(prefix="/v1/things")

    @router.post("")
    def add(thing: Thing) -> str:
        return thing.name

    @router.post("/all")
    def add_all(things: Annotated[list[Thing], Body()]) -> int:
        return len(things)

    @router.get("/fail/{which}")
    def fail(which: str) -> None:
        raise ERRORS[which]

    return create_app(shell, routers=[router])


@pytest.mark.parametrize(
    ("which", "status", "kind", "problems"),
    [
        ("several", 422, "invalid-input", ["row 1: text: missing", "row 3: ..."]),
        ("one", 422, "invalid-input", ["row 1: text: missing"]),
        ("derived", 409, "not-arooms", ["external_id a: other content"]),
        ("studio", 503, "studio-unreachable", []),
        ("settings", 500, "settings-error", ["goldfold.yaml: prot: unknown key"]),
        ("model", 503, "model-not-found", []),
        ("budget", 422, "budget-too-large", []),
    ],
)
def test_a_rooms_error_is_told_in_its_own_words(
    app: FastAPI, shell: Shell, which: str, status: int, kind: str, problems: list[str]
) -> None:
    with capture_logs() as lines:
        response = call(app, "GET", f"/v1/things/fail/{which}", key=shell.keys[Role.VIEWER])
    body = assert_problem(response, status)
    assert body["type"] == f"urn:goldfold:problem:{kind}"
    assert body["detail"] == str(ERRORS[which])
    assert body["instance"] == f"/v1/things/fail/{which}"
    assert body["problems"] == problems
    assert ("request failed" in [line["event"] for line in lines]) == (status >= 500)


def test_a_title_is_words(app: FastAPI, shell: Shell) -> None:
    body = call(app, "GET", "/v1/things/fail/budget", key=shell.keys[Role.VIEWER]).json()
    assert body["title"] == "Budget too large"


def test_a_request_that_does_not_fit_names_each_field_and_repeats_no_value(app: FastAPI, shell: Shell) -> None:
    key = shell.keys[Role.VIEWER]
    response = call(app, "POST", "/v1/things", key=key, json={"nam": "hush", "count": "hush"})
    body = assert_problem(response, 422)
    assert body["type"] == "urn:goldfold:problem:invalid-request"
    assert [one.split(":")[0] for one in body["problems"]] == ["body.name", "body.count", "body.nam"]
    assert "hush" not in response.text


def test_many_problems_are_all_listed_and_the_detail_stays_short(app: FastAPI, shell: Shell) -> None:
    body = assert_problem(
        call(app, "POST", "/v1/things/all", key=shell.keys[Role.VIEWER], json=[{"count": 1}] * 9), 422, "and 4 more$"
    )
    assert len(body["problems"]) == 9
    assert body["problems"][8] == "body.8.name: Field required"


def test_broken_json_is_a_problem(app: FastAPI, shell: Shell) -> None:
    headers = {"Content-Type": "application/json"}
    for content, status in ((b"{", 422), (b"", 422), (b'{"name": "\xff"}', 400)):
        response = call(app, "POST", "/v1/things", key=shell.keys[Role.VIEWER], content=content, headers=headers)
        assert_problem(response, status)


def test_an_unknown_path_and_a_wrong_method_are_problems(app: FastAPI) -> None:
    body = assert_problem(call(app, "GET", "/v2/things"), 404, "there is no /v2/things")
    assert (body["type"], body["title"]) == ("about:blank", "Not Found")
    response = call(app, "DELETE", "/v1/things")
    assert_problem(response, 405, "/v1/things does not take DELETE")
    assert response.headers["allow"] == "POST"


def test_the_example_is_a_problem_and_the_documentation_a_schema() -> None:
    assert Problem.model_validate(EXAMPLE).model_dump() == EXAMPLE
    described = documented(404, 409)
    assert set(described) == {404, 409}
    assert described[404]["description"] == "Not Found"
    assert "$ref" not in str(described)


def test_a_problem_keeps_the_headers_it_is_given() -> None:
    response = problem("/x", "id", 401, "no key", headers={"WWW-Authenticate": "Bearer"})
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
