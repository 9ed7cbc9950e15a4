"""One Label Studio project per policy version, kind, modality and desk: made once, found again, and checked before each
use.

A desk is one person's project of blind work. It goes by that person's number, so that neither title nor description
names anybody; but every member of a free Label Studio can open every project, and sees who answered there.

Any member of a free Label Studio may edit or delete a project, so nothing recorded about it is taken on trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from labeling.errors import FormEdited, StudioGone
from labeling.policies import Policy
from labeling.records import StudioProject, TaskKind
from labeling.studio.client import StudioClient
from labeling.studio.label_config import config_sha256, label_config
from labeling.studio.transport import AnswerLost, ServerFailed
from labeling.studio.wire import ProjectState

OVERLAP = {
    TaskKind.BLIND: 2,
    TaskKind.ASSISTED: 1,
    TaskKind.ADJUDICATION: 1,
    TaskKind.REVIEW: 1,
}  # a task may ask for another number
TITLE_CHARS = 50
SETTINGS: dict[str, object] = {
    "sampling": "Sequential sampling",  # we push by position, then by random task id: no order tells the lane or score
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "show_skip_button": True,
    "enable_empty_annotation": False,
    "show_collab_predictions": False,
    "evaluate_predictions_automatically": False,
    "reveal_preannotations_interactively": False,
    "show_annotation_history": False,
}


def settings_of(kind: TaskKind) -> dict[str, object]:
    """What a project of a kind is set to: only an assisted one shows suggestions."""
    return {**SETTINGS, "show_collab_predictions": kind is TaskKind.ASSISTED}


class Projects(Protocol):
    """The part of the ledger's projects that this needs."""

    def find(
        self,
        base_url: str,
        policy_id: str,
        policy_version: str,
        kind: TaskKind,
        assignee: str = "",
        modality: str = "text",
    ) -> StudioProject | None: ...
    def all(self) -> list[StudioProject]: ...
    def add(self, project: StudioProject) -> None: ...
    def forget(self, base_url: str, project_id: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose project it is: of which installation (``name``), and of which desk (0 and "": everybody's)."""

    name: str = "goldfold"
    desk: int = 0
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class _Made:
    """What a project is made from."""

    policy: Policy
    kind: TaskKind
    owner: Owner
    modality: str

    @property
    def config(self) -> str:
        return label_config(self.policy, self.kind, self.modality)

    @property
    def description(self) -> str:
        return marker(self.policy.id, self.policy.version, self.kind, self.owner.desk, self.modality) + self.owner.name

    @property
    def title(self) -> str:
        tail = f" {self.policy.version} " + (f"desk {self.owner.desk}" if self.owner.desk else self.kind.value)
        tail += "" if self.modality == "text" else f" {self.modality}s"
        return (self.policy.title[: max(3, TITLE_CHARS - len(tail))] + tail)[:TITLE_CHARS]


def ensure_project(
    client: StudioClient,
    projects: Projects,
    policy: Policy,
    kind: TaskKind,
    *,
    overlap: int | None = None,
    owner: str | Owner = "goldfold",
    repair: bool = False,
    modality: str = "text",
) -> StudioProject:
    """The project for a policy version, kind and modality, and of a desk where ``owner`` names one, made when it is not
    there.

    ``overlap``: how many people a new project asks by default; it is never changed later, because Label Studio would
    rewrite the number of every task in it (each task carries its own, see ``push``). ``owner`` names this installation,
    so that two that share a server keep apart. A form that somebody edited is StudioRefused, or put back when
    ``repair`` is set. A deleted project is forgotten (its unsettled tasks are queued again) and made anew.
    """
    owner = Owner(owner) if isinstance(owner, str) else owner
    known = projects.find(client.base_url, policy.id, policy.version, kind, owner.assignee, modality)
    if known is not None:
        try:
            state = _state(client, known, policy if repair else None)
        except StudioGone:
            projects.forget(client.base_url, known.project_id)
        else:
            _settle_settings(client, state, kind)
            return known
    wanted = _Made(policy, kind, owner, modality)
    state = _adopt(client, wanted) or _create(client, wanted, overlap or OVERLAP[kind])
    _settle_settings(client, state, kind)
    made = StudioProject(
        project_id=state.project_id,
        base_url=client.base_url,
        policy_id=policy.id,
        policy_version=policy.version,
        kind=kind,
        config_sha256=config_sha256(state.label_config),
        watermark=None,
        created_at=datetime.now(UTC),
        assignee=owner.assignee,
        desk=owner.desk,
        modality=modality,
    )
    _forget_namesake(projects, made)
    projects.add(made)
    return made


def _forget_namesake(projects: Projects, made: StudioProject) -> None:
    """Label Studio on SQLite gives the number of a deleted project to the next one: what we knew under it is gone."""
    if any((row.base_url, row.project_id) == (made.base_url, made.project_id) for row in projects.all()):
        projects.forget(made.base_url, made.project_id)


def check_project(client: StudioClient, project: StudioProject) -> ProjectState:
    """The project as it is now. Raises StudioGone when it was deleted (or its number serves another one now), and
    StudioRefused when its form is not the one Goldfold made."""
    return _state(client, project, None)


def _state(client: StudioClient, project: StudioProject, repair_from: Policy | None) -> ProjectState:
    state = client.project(project.project_id)
    if config_sha256(state.label_config) == project.config_sha256:
        return state
    mine = marker(project.policy_id, project.policy_version, project.kind, project.desk, project.modality)
    if mine not in state.description:
        raise StudioGone(f"project {project.project_id} of {client.base_url} is not Goldfold's any more")
    config = label_config(repair_from, project.kind, project.modality) if repair_from else ""
    if config_sha256(config) != project.config_sha256:
        raise FormEdited(
            f"the labelling form of project {project.project_id} ({state.title}) was edited in Label Studio at "
            f"{client.base_url}: undo the edit there, or let Goldfold put its form back (goldfold studio repair)"
        )
    client.update_project(project.project_id, label_config=config)
    return client.project(project.project_id)


def put_back(client: StudioClient, project: StudioProject, policy: Policy) -> bool:
    """Undo what was changed in the project's form and settings; whether the form was. Raises StudioGone, and
    StudioRefused when the form came from another version of the policy."""
    before = client.project(project.project_id).label_config
    state = _state(client, project, policy)
    _settle_settings(client, state, project.kind)
    return state.label_config != before


def ours(client: StudioClient, owner: str) -> list[ProjectState]:
    """The projects that this installation made there, whether the ledger knows them or not."""
    return [
        row
        for row in client.projects()
        if row.description.startswith("goldfold:") and row.description.endswith(f":{owner}")
    ]


def marker(policy_id: str, policy_version: str, kind: TaskKind, desk: int = 0, modality: str = "text") -> str:
    """What the description of our project starts with: how it is found when the ledger does not know it."""
    of = f"{modality}:" if modality != "text" else ""
    return f"goldfold:{policy_id}@{policy_version}:{kind.value}:{of}" + (f"desk-{desk}:" if desk else "")


def _adopt(client: StudioClient, wanted: _Made) -> ProjectState | None:
    """Our project that the ledger does not know: made just before a crash, or before the server's address changed."""
    for row in client.projects():
        if row.description == wanted.description:
            state = client.project(row.project_id)
            if state.label_config == wanted.config:
                return state
    return None


def _create(client: StudioClient, wanted: _Made, overlap: int) -> ProjectState:
    settings = {**settings_of(wanted.kind), "maximum_annotations": overlap}
    try:
        made = client.create_project(wanted.title, wanted.description, wanted.config, settings)
    except (AnswerLost, ServerFailed):
        found = _adopt(client, wanted)
        if found is None:
            raise
        return found
    oldest = _adopt(client, wanted)
    if oldest is not None and oldest.project_id < made:  # somebody made it at the same time: the older one stays
        client.delete_project(made)
        return oldest
    return client.project(made)


def _settle_settings(client: StudioClient, state: ProjectState, kind: TaskKind) -> None:
    changed = {key: value for key, value in settings_of(kind).items() if state.settings.get(key) != value}
    if changed:
        client.update_project(state.project_id, **changed)
