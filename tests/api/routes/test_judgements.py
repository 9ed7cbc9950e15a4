from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.auth import Role
from api.jobs import judging
from api.judges import ENDPOINT, PREDICTIONS, What, Who, judge
from api.server import build_app
from api.service import Service
from tests.api.client import assert_problem
from tests.api.gold import endpoint_file, regilded
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM
from tests.judge_service import ChatService, chat_service, slowly

PATH = "/v1/judgements"
FILE = f"{PATH}/predictions"


@pytest.fixture
def site(gilded: Path, tmp_path: Path) -> Iterator[Site]:
    goldfold = regilded(gilded, tmp_path)
    with Service(goldfold.settings, goldfold) as service:
        yield give_keys(Site(build_app(service), service))


@pytest.fixture
def service(tmp_path: Path, site: Site) -> Iterator[ChatService]:
    with chat_service() as (url, running):
        endpoint_file(tmp_path, url, allow_sealed="true", repeats=2)
        yield running


def rows(count: int = 120) -> list[dict[str, Any]]:
    return [{"external_id": f"post-{n}", "policy": HARM, "probability": 0.9 if n % 2 else 0.1} for n in range(count)]


def csv(lines: list[dict[str, Any]]) -> str:
    told = "".join(f"{one['external_id']},{one['policy']},{one['probability']}\n" for one in lines)
    return f"external_id,policy,probability\n{told}"


def send(site: Site, kind: str, content: str | bytes, query: str = "", role: Role = Role.ENGINEER) -> Any:
    return site.ask("POST", f"{FILE}{query}", role, content=content, headers={"Content-Type": kind})


def test_every_form_of_a_file_says_what_the_command_says(site: Site, tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows()), tmp_path / "theirs.parquet")
    bodies = [
        send(site, "text/csv; charset=utf-8", csv(rows())),
        send(site, "application/x-ndjson", "\n".join(map(json.dumps, rows()))),
        send(site, "application/vnd.apache.parquet", (tmp_path / "theirs.parquet").read_bytes()),
        site.ask("POST", FILE, files={"file": ("theirs.csv", csv(rows()), "text/csv")}),
    ]
    (tmp_path / "theirs.csv").write_text(csv(rows()))
    told = judge(site.goldfold, Who(PREDICTIONS, str(tmp_path / "theirs.csv")), What(), "cli")
    for body in bodies:
        assert body.status_code == 200, body.text
        assert body.json()["slices"] == json.loads(json.dumps(told["slices"]))
    assert bodies[3].json()["model"] == json.loads(json.dumps(told["model"]))
    cut = send(site, "text/csv", csv(rows()), "?slice=surface&golden_version=1.0.0").json()
    assert cut["golden_version"] == "1.0.0"


def test_bad_rows_are_named_by_number_and_our_folder_is_not(site: Site) -> None:
    bad = [*rows(2), {"external_id": "nobody", "policy": HARM, "probability": 0.5}]
    bad.append({"external_id": "post-3", "policy": HARM, "probability": 7})
    problem = assert_problem(send(site, "text/csv", csv(bad)), 422, "predictions.csv: row 4: external_id: 'nobody'")
    assert problem["problems"][1] == "row 5: probability: '7' is not a number between 0 and 1"
    assert "goldfold-" not in json.dumps(problem)
    for kind, content in (("text/csv", b"\xff\xfe"), ("text/csv", ""), ("application/vnd.apache.parquet", b"PAR1")):
        problem = assert_problem(send(site, kind, content), 422, "predictions")
        assert "goldfold-" not in json.dumps(problem)
    assert_problem(send(site, "application/json", "{}"), 422, "content-type: 'application/json': send one of text/csv")
    assert_problem(site.ask("POST", FILE, files={"other": ("a.csv", "x")}), 422, "the form has no file of that name")
    assert_problem(site.ask("POST", FILE, files={"file": ("../a.csv", "x")}), 422, "use a name of letters")
    assert_problem(site.ask("POST", FILE, files={"file": ("a.exe", "x")}), 422, "cannot tell its format")
    most = site.goldfold.settings.max_body_bytes
    assert_problem(send(site, "text/csv", b"x" * (most + 1)), 413, "max_body_bytes")


def test_a_gate_by_a_file_stands_in_the_ledger(site: Site) -> None:
    gate = f"{FILE}/gate"
    told = site.ask("POST", gate, Role.LEAD, files={"file": ("theirs.csv", csv(rows()), "text/csv")})
    assert told.status_code == 200, told.text
    assert told.json()["challenger"]["model_id"] == "theirs.csv"
    assert site.get("/v1/gates", Role.VIEWER)[0]["gate_id"] == told.json()["gate_id"]
    site.refused("POST", gate, Role.LEAD, content="x", headers={"Content-Type": "text/csv"})
    site.refused("POST", FILE, Role.ENGINEER, content="x", headers={"Content-Type": "text/csv"})


def test_an_endpoint_is_judged_by_a_job_whose_result_is_what_the_command_says(
    site: Site, service: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "ASK_STEP_S", 0.2)  # so that the job asks in several parts
    service.answer = slowly(0.03)
    given = {"kind": "endpoint", "name": "gpt", "job_id": "ask-1"}
    cost = site.ask("POST", f"{PATH}/price", json={**given, "limit": 20}).json()["estimate"]
    assert (cost["calls"], cost["pairs"], service.seen) == (40, 20, [])
    started = site.ask("POST", PATH, json=given)
    assert started.status_code == 202, started.text
    found = site.service.jobs.result("ask-1")
    assert site.get("/v1/jobs/ask-1")["result"] == found
    assert found["beside"]["answers"]["read"] == len(service.contents)
    assert found["beside"]["usage_now"]["calls"] < len(service.contents)  # by its last part alone
    again = judge(site.goldfold, Who(ENDPOINT, "gpt"), What(), "cli")
    for part in ("slices", "series", "model", "left_out"):
        assert found[part] == json.loads(json.dumps(again[part])), part
    assert found["beside"]["stability"] == json.loads(json.dumps(again["beside"]["stability"]))
    assert site.ask("POST", f"{PATH}/gate", Role.LEAD, json={**given, "job_id": "ask-2"}).status_code == 202
    verdict = site.service.jobs.result("ask-2")
    assert verdict == verdict | site.goldfold.ledger.gates.get(verdict["gate_id"]).body
    site.refused("POST", f"{PATH}/gate", Role.LEAD, json=given)
    site.refused("POST", PATH, Role.ENGINEER, json=given)


def test_names_from_afar_are_no_paths(site: Site) -> None:
    for kind, name, says in (
        ("scorer", "my-own", "no such scorer file comes with Goldfold"),
        ("endpoint", "nobody", "there is no nobody.yaml in judges_dir"),
    ):
        assert_problem(site.ask("POST", PATH, json={"kind": kind, "name": name}), 404, says)
    for name in ("../judges/gpt", "/etc/passwd", "a.yaml", ""):
        assert site.ask("POST", PATH, json={"kind": "endpoint", "name": name}).status_code == 422
    assert_problem(
        site.ask("POST", f"{PATH}/price", json={"kind": "scorer", "name": "toxic-bert"}), 422, "only an endpoint costs"
    )
