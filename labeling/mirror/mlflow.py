"""MLflow's REST API, the few calls that a mirror needs, each safe to make again.

Written against MLflow 3.17.2 (``/api/2.0/mlflow``), whose package is not used. What is there is looked up before it is
made, and whoever lost a race to make it finds what the other one made. One mirror at a time makes runs and versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from labeling.errors import InvalidInput, MirrorRefused, MirrorUnreachable
from labeling.mirror.records import Portrait
from labeling.store.rows import chunks

API = "/api/2.0/mlflow/"
EXPERIMENT = "goldfold"
MODEL_ID = "goldfold.model_id"  # the tag by which a run and a version of a model are found again
TIMEOUT_S = 10.0
BATCH = 100  # params, and tags, in one call
DETAIL_CHARS = 300
_MISSING = ("RESOURCE_DOES_NOT_EXIST",)
_THERE = ("RESOURCE_ALREADY_EXISTS",)
Json = dict[str, Any]


class Mlflow:
    """A client for one server. ``token`` goes as ``Authorization: Bearer``; "": none is sent. Raises InvalidInput for
    an address that is none, or that holds a password; each call raises MirrorUnreachable, MirrorRefused."""

    def __init__(
        self, url: str, token: str = "", timeout_s: float = TIMEOUT_S, transport: httpx.BaseTransport | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise InvalidInput("mlflow_url: expected an address such as http://127.0.0.1:5000, without a password")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        base = url.rstrip("/") + API
        self._where = parts.netloc
        self._http = httpx.Client(base_url=base, headers=headers, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ping(self) -> None:
        """Raises what a call would raise; changes nothing."""
        self._find("experiments/get-by-name", {"experiment_name": EXPERIMENT})

    def experiment(self) -> str:
        """The id of our experiment, made where it is missing."""
        found = self._find("experiments/get-by-name", {"experiment_name": EXPERIMENT})
        if found is None:
            self._make("experiments/create", {"name": EXPERIMENT})
            found = self._get("experiments/get-by-name", {"experiment_name": EXPERIMENT})
        if found["experiment"]["lifecycle_stage"] != "active":
            raise MirrorRefused(f"MLflow at {self._where}: the experiment {EXPERIMENT} was deleted there; restore it")
        return str(found["experiment"]["experiment_id"])

    def run(self, experiment: str, portrait: Portrait) -> str:
        """The id of a model's run, made where it is missing."""
        wanted = f"tags.`{MODEL_ID}` = '{portrait.model_id}'"
        found = self._post("runs/search", {"experiment_ids": [experiment], "filter": wanted, "max_results": 1})
        runs = found.get("runs") or [
            self._post(
                "runs/create",
                {
                    "experiment_id": experiment,
                    "run_name": portrait.model_id,
                    "start_time": portrait.created_at_ms,
                    "tags": _pairs({MODEL_ID: portrait.model_id}),
                },
            )["run"]
        ]
        return str(runs[0]["info"]["run_id"])

    def log(self, run_id: str, portrait: Portrait, at_ms: int) -> None:
        """Params, tags and metrics of a run that is over; the newest value of a metric is the one that counts."""
        for params in chunks(_pairs(portrait.params), BATCH):
            self._post("runs/log-batch", {"run_id": run_id, "params": list(params)})
        for tags in chunks(_pairs(portrait.tags), BATCH):
            self._post("runs/log-batch", {"run_id": run_id, "tags": list(tags)})
        said = [{"key": k, "value": v, "timestamp": at_ms, "step": 0} for k, v in sorted(portrait.metrics.items())]
        for metrics in chunks(said, BATCH):
            self._post("runs/log-batch", {"run_id": run_id, "metrics": list(metrics)})
        done = {"run_id": run_id, "status": "FINISHED", "end_time": portrait.created_at_ms}
        self._post("runs/update", done)

    def registered(self, portrait: Portrait) -> None:
        """Make the registered model of a family where it is missing."""
        if self._find("registered-models/get", {"name": portrait.name}) is None:
            self._make("registered-models/create", {"name": portrait.name, "description": portrait.description})

    def version(self, run_id: str, portrait: Portrait) -> str:
        """The number of a model's version, made where it is missing. Its source is the run, which holds no artefact:
        the files stay where they are, and a tag has their hash."""
        found = self._get(
            "model-versions/search", {"filter": f"name = '{portrait.name}' and run_id = '{run_id}'", "max_results": 1}
        )
        versions = found.get("model_versions") or [
            self._post(
                "model-versions/create",
                {
                    "name": portrait.name,
                    "source": f"runs:/{run_id}/goldfold",
                    "run_id": run_id,
                    "tags": _pairs({MODEL_ID: portrait.model_id}),
                },
            )["model_version"]
        ]
        return str(versions[0]["version"])

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        for one in _pairs(tags):
            self._post("model-versions/set-tag", {"name": name, "version": version, **one})

    def point(self, name: str, alias: str, version: str) -> None:
        """Let an alias name a version."""
        self._post("registered-models/alias", {"name": name, "alias": alias, "version": version})

    def unpoint(self, name: str, alias: str, version: str) -> None:
        """Take an alias away where it names this version."""
        found = self._get("registered-models/get", {"name": name})["registered_model"].get("aliases", [])
        if {"alias": alias, "version": version} in found:
            self._call("DELETE", "registered-models/alias", {"json": {"name": name, "alias": alias}})

    def _get(self, path: str, params: Json) -> Json:
        return self._call("GET", path, {"params": params})

    def _post(self, path: str, body: Json) -> Json:
        return self._call("POST", path, {"json": body})

    def _find(self, path: str, params: Json) -> Json | None:
        answer = self._call("GET", path, {"params": params}, _MISSING)
        return None if "error_code" in answer else answer

    def _make(self, path: str, body: Json) -> None:
        self._call("POST", path, {"json": body}, _THERE)

    def _call(self, method: str, path: str, how: Json, fine: tuple[str, ...] = ()) -> Json:
        try:
            answer = self._http.request(method, path, **how)
        except httpx.HTTPError as error:
            raise MirrorUnreachable(
                f"MLflow at {self._where} does not answer ({type(error).__name__}); the ledger is complete, and "
                "`goldfold models mirror` catches up"
            ) from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise MirrorUnreachable(f"MLflow at {self._where} is in trouble ({answer.status_code}); try again later")
        told = _json(answer)
        code = str(told.get("error_code", ""))
        if code in fine or (answer.is_success and not code):
            return told
        said = f"{code or answer.status_code}: {str(told.get('message', ''))[:DETAIL_CHARS]}"
        raise MirrorRefused(f"MLflow at {self._where} refused {path} ({said}); check mlflow_url and mlflow_token")


def _json(answer: httpx.Response) -> Json:
    try:
        told = answer.json()
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {"error_code": "NO_JSON", "message": "its answer is no JSON object"}


def _pairs(values: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in sorted(values.items())]
