"""The root-cause desk in an installation: its clock, and its QA file, around the use cases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from api.composition import Goldfold
from api.daily_qa import actions_of
from configs.qa_files import read_qa_file
from labeling.cause_records import Action, Coding, Finding
from labeling.decision_records import Decided
from labeling.errors import NotFound
from labeling.insights.causes import (
    Told,
    Wanted,
    agree_action,
    code_finding,
    coding_agreement,
    desk,
    finish,
    open_finding,
    verify,
)

Json = dict[str, Any]


def open_(goldfold: Goldfold, told: Told, actor: str) -> Finding:
    """Open a finding. Raises InvalidInput, Conflict."""
    return open_finding(goldfold.ledger, told, actor, datetime.now(UTC))


def code(goldfold: Goldfold, finding_id: str, code_: str, note: str, actor: str) -> Coding:
    """Code a finding. Raises InvalidInput, NotFound, Conflict."""
    return code_finding(goldfold.ledger, finding_id, code_, note, actor, datetime.now(UTC))


def act(goldfold: Goldfold, finding_id: str, wanted: Wanted, actor: str) -> Action:
    """Agree on a corrective action. Raises InvalidInput, NotFound."""
    return agree_action(
        goldfold.ledger,
        finding_id,
        wanted,
        _actions(goldfold),
        actor,
        datetime.now(UTC),
    )


def end(goldfold: Goldfold, action_id: str, actor: str, reason: str, *, dropped: bool) -> None:
    """An action was done, or dropped. Raises NotFound, Conflict."""
    finish(goldfold.ledger, action_id, actor, reason, datetime.now(UTC), dropped=dropped)


def prove(goldfold: Goldfold, action_id: str, actor: str) -> Json:
    """Measure whether an action helped. Raises NotFound, Conflict."""
    return verify(goldfold.ledger, action_id, _actions(goldfold), actor, datetime.now(UTC))


def findings(goldfold: Goldfold) -> list[Json]:
    """The whole desk, the gravest first."""
    return desk(goldfold.ledger, datetime.now(UTC).date())


def finding(goldfold: Goldfold, finding_id: str) -> Json:
    """One finding. Raises NotFound."""
    for one in findings(goldfold):
        if one["finding_id"] == finding_id:
            return one
    raise NotFound(f"there is no finding {finding_id!r}")


def agreement(goldfold: Goldfold) -> Json:
    """How far first and second coders agree."""
    return coding_agreement(goldfold.ledger)


def has_coded(goldfold: Goldfold, finding_id: str, actor: str) -> bool:
    """Whether somebody coded a finding already; what they said is not told."""
    return any(one.finding_id == finding_id and one.coder == actor for one in goldfold.ledger.causes.codings())


def services(goldfold: Goldfold) -> list[str]:
    """The chat services that may be asked for drafts, by their endpoint files' names."""
    folder = goldfold.settings.judges_dir
    return sorted(path.stem for path in folder.glob("*.yaml")) if folder and folder.is_dir() else []


def _actions(goldfold: Goldfold) -> dict[str, Decided]:
    return actions_of(read_qa_file(goldfold.settings.qa_file))
