"""What Label Studio sends, as typed values. Unknown fields are ignored; a missing one we need is StudioRefused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from labeling.errors import StudioRefused

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class StudioAnnotation:
    """One answer as stored there. ``completed_by`` is a claim (any member can set it); ``updated_by`` is the caller.
    ``lead_time_s`` is None when unknown; ``result`` is whatever the form sent, unchecked. ``suggested``: whether it
    began as a suggestion."""

    annotation_id: int
    completed_by: int | None
    updated_by: int | None
    skipped: bool
    result: object
    lead_time_s: float | None
    updated_at: datetime
    created_at: datetime | None = None  # never changes, unlike everything else
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class StudioTask:
    """One task as stored there. ``annotations``, ``drafts`` and ``predictions`` (how many) are filled only where the
    caller asked for them."""

    studio_task_id: int
    project_id: int
    data: Mapping[str, object]
    overlap: int
    updated_at: datetime | None
    annotations: tuple[StudioAnnotation, ...] = ()
    drafts: int = 0
    predictions: int = 0
    created_at: datetime | None = None
    closed: bool = False  # nobody is asked any more; Label Studio counts anew only when an annotation comes or goes

    @property
    def answers(self) -> int:
        """How many annotations are no skips."""
        return sum(not annotation.skipped for annotation in self.annotations)

    @property
    def task_id(self) -> str:
        """Goldfold's opaque id, or "" when the task holds none."""
        value = self.data.get("task_id")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class ProjectState:
    """A project as it is there now. ``settings`` holds all its other fields."""

    project_id: int
    title: str
    description: str
    label_config: str
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as stored there; its headers hold our shared secret, so it is never printed."""

    hook_id: int
    url: str
    actions: frozenset[str]
    headers: Mapping[str, str]
    active: bool

    def __repr__(self) -> str:
        return f"Hook({self.hook_id}, {self.url!r})"


def read_task(raw: object) -> StudioTask:
    """A task of the data manager's list."""
    row = mapping(raw)
    data = row.get("data")
    return StudioTask(
        studio_task_id=_int(row, "id"),
        project_id=_int(row, "project"),
        data=mapping(data) if isinstance(data, Mapping) else {},
        overlap=_int(row, "overlap"),
        updated_at=_time(row["updated_at"]) if row.get("updated_at") else None,
        annotations=tuple(_annotation(mapping(item)) for item in sequence(row.get("annotations"))),
        drafts=len(sequence(row.get("drafts"))),
        predictions=len(sequence(row.get("predictions"))),
        created_at=_time(row["created_at"]) if row.get("created_at") else None,
        closed=row.get("is_labeled") is True,
    )


def _annotation(row: Json) -> StudioAnnotation:
    lead = row.get("lead_time")
    return StudioAnnotation(
        annotation_id=_int(row, "id"),
        completed_by=_person(row.get("completed_by")),
        updated_by=_person(row.get("updated_by")),
        skipped=row.get("was_cancelled") is True,
        result=row.get("result"),
        lead_time_s=max(0.0, float(lead)) if isinstance(lead, int | float) else None,
        updated_at=_time(row.get("updated_at")),
        created_at=_time(row["created_at"]) if row.get("created_at") else None,
        suggested=row.get("parent_prediction") is not None,
    )


def read_project(raw: object) -> ProjectState:
    row = mapping(raw)
    return ProjectState(
        project_id=_int(row, "id"),
        title=str(row.get("title") or ""),
        description=str(row.get("description") or ""),
        label_config=str(row.get("label_config") or ""),
        settings=row,
    )


def mapping(raw: object) -> Json:
    """``raw`` as a JSON object, or StudioRefused."""
    if not isinstance(raw, Mapping):
        raise StudioRefused(
            f"Label Studio sent {type(raw).__name__} where an object was expected; is its version right?"
        )
    return {str(key): value for key, value in raw.items()}


def sequence(raw: object) -> Sequence[object]:
    """``raw`` as a JSON list; anything else counts as empty."""
    return raw if isinstance(raw, list) else []


def _int(row: Json, key: str) -> int:
    value = row.get(key)
    if not isinstance(value, int):
        raise StudioRefused(f"Label Studio sent no {key}; is its version right?")
    return value


def _person(raw: object) -> int | None:
    """Lists carry a user id, single tasks an object that has one."""
    if isinstance(raw, Mapping):
        raw = raw.get("id")
    return raw if isinstance(raw, int) else None


def _time(raw: object) -> datetime:
    try:
        return datetime.fromisoformat(str(raw)).astimezone(UTC)
    except ValueError as error:
        raise StudioRefused("Label Studio sent a time that cannot be read; is its version right?") from error
