"""An MLflow that holds everything in memory. It answers as MLflow 3.17.2 was seen to: codes, error codes, field names,
empty answers where nothing is found. ``GOLDFOLD_TEST_MLFLOW_URL`` names a real one, which the same tests then ask too.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

Json = dict[str, Any]
API = "/api/2.0/mlflow/"


class Refused(Exception):
    """An answer that is none."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class FakeMlflow:
    """``calls`` has every request as (method, path, body); ``down_after``: requests that are answered before 503."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Json]] = []
        self.tokens: set[str] = set()
        self.experiments: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.models: dict[str, Json] = {}
        self.versions: list[Json] = []
        self.down_after: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        body = json.loads(request.content) if request.content else dict(parse_qsl(parts.query))
        status, answer = self.answer(
            request.method, parts.path.removeprefix(API), body, request.headers.get("Authorization", "")
        )
        return httpx.Response(status, json=answer)

    def answer(self, method: str, path: str, body: Json, token: str) -> tuple[int, Json]:
        self.calls.append((method, path, body))
        self.tokens.add(token)
        if self.down_after is not None:
            if self.down_after == 0:
                return 503, {}
            self.down_after -= 1
        handler = getattr(self, f"{method}_{re.sub('[/-]', '_', path)}".lower(), None)
        if handler is None:
            return 404, {}
        try:
            return 200, handler(body) or {}
        except Refused as error:
            return error.status, {"error_code": error.code, "message": f"said of {path}"}

    def get_experiments_get_by_name(self, body: Json) -> Json:
        if body["experiment_name"] not in self.experiments:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST")
        return {"experiment": self.experiments[body["experiment_name"]]}

    def post_experiments_create(self, body: Json) -> Json:
        if body["name"] in self.experiments:
            raise Refused(400, "RESOURCE_ALREADY_EXISTS")
        made = {"experiment_id": str(len(self.experiments) + 1), "name": body["name"], "lifecycle_stage": "active"}
        self.experiments[body["name"]] = made
        return {"experiment_id": made["experiment_id"]}

    def post_runs_search(self, body: Json) -> Json:
        key, value = re.fullmatch(r"tags\.`(.+)` = '(.+)'", body["filter"]).groups()  # type: ignore[union-attr]
        found = [run for run in self.runs.values() if run["tags"].get(key) == value]
        return {"runs": [{"info": {"run_id": run["run_id"]}} for run in found[:1]]} if found else {}

    def post_runs_create(self, body: Json) -> Json:
        run_id = f"{len(self.runs):032x}"
        tags = {one["key"]: one["value"] for one in body["tags"]}
        self.runs[run_id] = {"run_id": run_id, "tags": tags, "params": {}, "metrics": {}, "status": "RUNNING"}
        return {"run": {"info": {"run_id": run_id}}}

    def post_runs_log_batch(self, body: Json) -> None:
        run = self.runs[body["run_id"]]
        for kind in ("params", "tags", "metrics"):
            told = {one["key"]: one["value"] for one in body.get(kind, [])}
            if kind == "params" and any(run[kind].get(key, value) != value for key, value in told.items()):
                raise Refused(400, "INVALID_PARAMETER_VALUE")
            run[kind] |= told

    def post_runs_update(self, body: Json) -> None:
        self.runs[body["run_id"]]["status"] = body["status"]

    def get_registered_models_get(self, body: Json) -> Json:
        if body["name"] not in self.models:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST")
        model = self.models[body["name"]]
        aliases = [{"alias": alias, "version": version} for alias, version in model["aliases"].items()]
        return {"registered_model": {"name": body["name"], **({"aliases": aliases} if aliases else {})}}

    def post_registered_models_create(self, body: Json) -> None:
        if body["name"] in self.models:
            raise Refused(400, "RESOURCE_ALREADY_EXISTS")
        if re.search("[/:]", body["name"]):
            raise Refused(400, "INVALID_PARAMETER_VALUE")
        self.models[body["name"]] = {"aliases": {}}

    def get_model_versions_search(self, body: Json) -> Json:
        name, run = re.fullmatch(r"name = '(.+)' and run_id = '(.+)'", body["filter"]).groups()  # type: ignore[union-attr]
        found = [one for one in self.versions if (one["name"], one["run_id"]) == (name, run)]
        return {"model_versions": found} if found else {}

    def post_model_versions_create(self, body: Json) -> Json:
        if not body["source"].startswith("runs:/"):
            raise Refused(400, "INVALID_PARAMETER_VALUE")
        number = sum(one["name"] == body["name"] for one in self.versions) + 1
        tags = {one["key"]: one["value"] for one in body["tags"]}
        self.versions.append({"name": body["name"], "version": str(number), "run_id": body["run_id"], "tags": tags})
        return {"model_version": self.versions[-1]}

    def post_model_versions_set_tag(self, body: Json) -> None:
        for one in self.versions:
            if (one["name"], one["version"]) == (body["name"], body["version"]):
                one["tags"][body["key"]] = body["value"]

    def post_registered_models_alias(self, body: Json) -> None:
        self.models[body["name"]]["aliases"][body["alias"]] = body["version"]

    def delete_registered_models_alias(self, body: Json) -> None:
        self.models[body["name"]]["aliases"].pop(body["alias"], None)


@contextmanager
def serving(fake: FakeMlflow) -> Iterator[str]:
    """Its address on 127.0.0.1 while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(content) if content else dict(parse_qsl(parts.query))
            token = self.headers.get("Authorization", "")
            status, answer = fake.answer(self.command, parts.path.removeprefix(API), body, token)
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the base class' names

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
