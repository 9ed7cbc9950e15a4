"""Label Studio as Goldfold uses it: the SDK where it works, plain HTTP where it has no call or its models break."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Self

import httpx
import label_studio_sdk  # cheap: its classes are loaded when first touched (about 2 s)

from labeling.errors import StudioRefused
from labeling.studio.transport import AnswerLost, Caller, Way, open_http
from labeling.studio.wire import (
    Hook,
    Json,
    ProjectState,
    StudioTask,
    mapping,
    read_project,
    read_task,
    sequence,
)

LOOKUP_MAX = 100  # a lookup is a GET: more ids would not pass proxies with 8 KB of request line
PAGE = 100  # listing costs the server 6-8 ms per task
SINCE_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # the only one it reads; without the fraction it answers 500
LIGHT = "id,project,data,overlap,created_at,updated_at"


class StudioClient:
    """One server, one account. Threads may share it.

    ``timeout_s`` bounds a single request. ``settle_s``: how long a request whose answer was lost may still run in
    the server (its own request limit, 120 s in the stock image); a local development server needs a few seconds.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout_s: float = 300.0,
        *,
        settle_s: float = 130.0,
        transport: httpx.BaseTransport | None = None,
        way: Way | None = None,
    ) -> None:
        self.base_url, self._http = open_http(base_url, token, timeout_s, transport, way)
        self.settle_s = settle_s
        self._call = Caller(self.base_url, self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @cached_property
    def _sdk(self) -> Any:
        """The SDK on our connection: our auth replaces its header, so it never holds the token; it retries nothing."""
        return label_studio_sdk.LabelStudio(
            base_url=self.base_url, api_key="set-by-TokenAuth", max_retries=0, httpx_client=self._http
        )

    # -- the server ---------------------------------------------------------------------------------------------

    def version(self) -> str:
        """Its release, for example "1.23.2"."""
        return str(mapping(self._call.read("/api/version").json()).get("release", ""))

    def healthy(self) -> bool:
        """Whether it is up; asks once."""
        try:
            return self._http.get("/health", timeout=5.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def clock(self) -> datetime:
        """Its time (UTC, whole seconds, rounded down): the only clock that its ``updated_at`` can be compared with."""
        date = self._call.read("/health").headers.get("date")
        if not date:
            raise StudioRefused(f"Label Studio at {self.base_url} sends no Date header; check the proxy before it")
        return parsedate_to_datetime(date).astimezone(UTC)

    def whoami(self) -> str:
        """The account's e-mail. Raises StudioUnauthorized when the token is no good."""
        return str(mapping(self._call.read("/api/current-user/whoami").json()).get("email", ""))

    def people(self) -> dict[int, str]:
        """E-mail by user id."""
        rows = [mapping(row) for row in sequence(self._call.read("/api/users/").json())]
        return {row["id"]: str(row.get("email") or "") for row in rows if isinstance(row.get("id"), int)}  # type: ignore[misc]

    def invite_path(self) -> str:
        """Where a new person signs up; the link stays good until somebody renews it."""
        return str(mapping(self._call.read("/api/invite").json()).get("invite_url", ""))

    # -- projects -----------------------------------------------------------------------------------------------

    def validate_config(self, label_config: str) -> None:
        """Raises StudioRefused when the server finds a fault in a labelling config."""
        self._call.post("/api/projects/validate/", {"label_config": label_config})

    def create_project(self, title: str, description: str, label_config: str, settings: Mapping[str, object]) -> int:
        """Make a project (title: 3..50 characters); its id. After AnswerLost look in ``projects`` first."""
        made = self._call.write(
            lambda: self._sdk.projects.create(
                title=title, description=description, label_config=label_config, **settings
            ),
            "a new project",
        )
        return int(made.id)

    def projects(self) -> list[ProjectState]:
        """All of them, by id; without label_config and settings."""
        found: list[ProjectState] = []
        page = 1
        while True:
            params: dict[str, str | int] = {"page": page, "page_size": PAGE, "include": "id,title,description"}
            answer = mapping(self._call.read("/api/projects/", params).json())
            found += [read_project(row) for row in sequence(answer.get("results"))]
            if not answer.get("next"):
                return sorted(found, key=lambda project: project.project_id)
            page += 1

    def project(self, project_id: int) -> ProjectState:
        """One project with its config. Raises StudioGone."""
        return read_project(self._call.read(f"/api/projects/{project_id}/").json())

    def update_project(self, project_id: int, **fields: object) -> None:
        self._call.write(lambda: self._sdk.projects.update(project_id, **fields), f"project {project_id}")

    def delete_project(self, project_id: int) -> None:
        self._call.write(lambda: self._sdk.projects.delete(project_id), f"project {project_id}")

    # -- tasks --------------------------------------------------------------------------------------------------

    def import_tasks(
        self,
        project_id: int,
        data: Sequence[Mapping[str, object]],
        predictions: Sequence[Sequence[Mapping[str, object]]] = (),
    ) -> list[int]:
        """Import tasks in one transaction of the server; their ids there, in order. ``predictions``: of each task, or
        left out. Not idempotent: after AnswerLost (also: not all arrived) or ServerFailed look with ``find_tasks``
        before anything else."""
        tasks: list[Json] = [{"data": dict(row)} for row in data]
        for task, beside in zip(tasks, predictions, strict=False):
            if beside:
                task["predictions"] = [dict(row) for row in beside]
        answer = self._call.write(
            lambda: self._sdk.projects.import_tasks(id=project_id, request=tasks, return_task_ids=True),
            f"project {project_id}",
        )
        ids = [int(number) for number in answer.task_ids or []]
        if answer.task_count != len(tasks) or len(ids) != len(tasks):
            raise AnswerLost(f"Label Studio counted {answer.task_count} of {len(tasks)} tasks sent")
        wanted = sum(len(beside) for beside in predictions)
        if (answer.prediction_count or 0) != wanted:
            raise AnswerLost(f"Label Studio counted {answer.prediction_count} of {wanted} predictions sent")
        return ids

    def predict(self, studio_task_id: int, prediction: Mapping[str, object]) -> None:
        """Put a prediction beside a task. Not idempotent: look how many there are first."""
        self._call.post("/api/predictions/", {"task": studio_task_id, **prediction})

    def find_tasks(self, project_id: int, task_ids: Sequence[str], *, full: bool = False) -> list[StudioTask]:
        """Tasks of a project by Goldfold's ids (``data.task_id``), oldest first; ``full`` brings annotations and
        drafts. An id may be there twice. Raises StudioGone when the project is."""
        found: list[StudioTask] = []
        for start in range(0, len(task_ids), LOOKUP_MAX):
            some = list(task_ids[start : start + LOOKUP_MAX])
            items = [_filter("data.task_id", "in_list", "String", some)]
            found += self._list(project_id, items, page_size=2 * len(some) + 10, full=full)
        return found

    def pages(self, project_id: int, since: datetime | None = None) -> Iterator[list[StudioTask]]:
        """All tasks with their annotations, or those changed after ``since``, in pages by rising id. Pages by id and
        not by number: numbers drift while people work."""
        last = 0
        while True:
            items = [_filter("id", "greater", "Number", last)]
            if since is not None:
                items.append(_filter("updated_at", "greater", "Datetime", since.astimezone(UTC).strftime(SINCE_FORMAT)))
            page = self._list(project_id, items, page_size=PAGE, full=True)
            if not page:
                return
            yield page
            last = page[-1].studio_task_id

    def _list(self, project_id: int, items: list[Json], *, page_size: int, full: bool) -> list[StudioTask]:
        query = {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}
        params: dict[str, str | int] = {
            "project": project_id,
            "query": json.dumps(query, separators=(",", ":")),
            "page": 1,
            "page_size": page_size,
            "fields": "all" if full else "task_only",
        }
        if not full:
            params["include"] = LIGHT
        answer = mapping(self._call.read("/api/tasks/", params).json())
        return [read_task(row) for row in sequence(answer.get("tasks"))]

    def set_overlap(self, studio_task_id: int, overlap: int) -> None:
        """How many people are asked about one task; the project's number is only the default."""
        self._call.write(lambda: self._sdk.tasks.update(str(studio_task_id), overlap=overlap), f"task {studio_task_id}")

    def set_data(self, studio_task_id: int, data: Mapping[str, object]) -> None:
        """Put back what a task shows."""
        self._call.write(lambda: self._sdk.tasks.update(str(studio_task_id), data=dict(data)), f"task {studio_task_id}")

    def ask(self, task: StudioTask, people: int) -> bool:
        """Let so many people be asked about a task, which was read with its annotations; whether it had to be opened
        again for that."""
        if task.closed and task.answers < people:
            self.reopen(task.studio_task_id, people)
            return True
        if task.overlap != people:
            self.set_overlap(task.studio_task_id, people)
        return False

    def reopen(self, studio_task_id: int, overlap: int) -> None:
        """Ask ``overlap`` people about a task that is closed there. Label Studio counts anew only when an annotation
        comes or goes, so a skip of this account comes and goes; killed in between, it stays and counts for nothing."""
        self.set_overlap(studio_task_id, overlap)
        skip = {"result": [], "was_cancelled": True}
        answer = self._call.post(f"/api/tasks/{studio_task_id}/annotations/", skip)
        number = mapping(answer.json()).get("id")
        self._call.write(lambda: self._sdk.annotations.delete(number), f"annotation {number}")

    def delete_task(self, studio_task_id: int) -> None:
        self._call.write(lambda: self._sdk.tasks.delete(str(studio_task_id)), f"task {studio_task_id}")

    def annotate(
        self, studio_task_id: int, result: Sequence[Mapping[str, object]], lead_time_s: float | None = None
    ) -> int:
        """Answer a task as this client's account; the annotation's id."""
        body = {"result": [dict(entry) for entry in result], "lead_time": lead_time_s}
        answer = self._call.post(f"/api/tasks/{studio_task_id}/annotations/", body)
        number = mapping(answer.json()).get("id")
        if not isinstance(number, int):
            raise StudioRefused(f"Label Studio gave the annotation of task {studio_task_id} no id")
        return number

    # -- webhooks -----------------------------------------------------------------------------------------------

    def hooks(self, project_id: int) -> list[Hook]:
        rows = sequence(self._call.read("/api/webhooks/", {"project": project_id}).json())
        return sorted((_hook(mapping(row)) for row in rows), key=lambda hook: hook.hook_id)

    def create_hook(self, project_id: int, url: str, actions: Sequence[str], headers: Mapping[str, str]) -> None:
        fields = _hook_fields(url, actions, headers)
        self._call.write(lambda: self._sdk.webhooks.create(project=project_id, **fields), f"webhook {url}")

    def update_hook(self, hook_id: int, url: str, actions: Sequence[str], headers: Mapping[str, str]) -> None:
        fields = _hook_fields(url, actions, headers)
        self._call.write(lambda: self._sdk.webhooks.update(hook_id, **fields), f"webhook {url}")

    def delete_hook(self, hook_id: int) -> None:
        self._call.write(lambda: self._sdk.webhooks.delete(hook_id), f"webhook {hook_id}")


def _filter(column: str, operator: str, kind: str, value: object) -> Json:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _hook(row: Json) -> Hook:
    headers = row.get("headers")
    return Hook(
        hook_id=int(str(row.get("id"))),
        url=str(row.get("url") or ""),
        actions=frozenset(str(action) for action in sequence(row.get("actions"))),
        headers={str(k): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {},
        active=row.get("is_active") is True,
    )


def _hook_fields(url: str, actions: Sequence[str], headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "url": url,
        "actions": list(actions),
        "headers": dict(headers),
        "send_payload": False,
        "send_for_all_actions": False,
        "is_active": True,
    }
