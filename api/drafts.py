"""Drafts by a chat service, as an endpoint file names it (``judges_dir``, or a path)."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from api.composition import Goldfold
from api.endpoint import HttpEndpoint, checked_address
from api.root_causes import finding as told_finding
from api.sops import policy_of, sop_of
from configs.endpoint_files import endpoint_path, read_endpoint
from configs.errors import SettingsError
from labeling.cause_records import CODES
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.insights.causes import find
from labeling.insights.drafts import PATH, Draft, cause_request, question_request, read_draft
from labeling.judging.prompts import Asking
from labeling.sop.replay import Replay
from scoring.errors import RemoteRefused
from scoring.remote import Caller, Manners, reason

Request = Callable[[Asking], dict[str, Any]]


def draft_cause(goldfold: Goldfold, finding_id: str, endpoint: str) -> Draft:
    """A likely cause of a finding. Raises Conflict while two people are to code it and have not, NothingToDo for an
    answer that is none, SettingsError, NotFound, and the errors of a remote service."""
    finding = find(goldfold.ledger.causes, finding_id)
    waits = told_finding(goldfold, finding_id)["waits_for"]
    if finding.is_double_coded and waits is not None:
        raise Conflict(
            f"finding {finding_id!r} waits for a {waits} code by somebody who has seen no suggestion: code it first"
        )
    return _ask(goldfold, endpoint, finding_id, lambda asking: cause_request(finding, asking), tuple(CODES))


def draft_question(
    goldfold: Goldfold, sop_id: str, step_id: str, endpoint: str, replayed: Replay | None = None
) -> Draft:
    """Another wording of a step's question. Raises as ``draft_cause`` does, but for Conflict."""
    sop = sop_of(goldfold, sop_id)
    if step_id not in sop.step_by_id:
        raise NotFound(f"step {step_id!r} is not in {sop_id} (known: {', '.join(sop.step_by_id)})")
    step, policy = sop.step_by_id[step_id], policy_of(goldfold, sop)
    return _ask(goldfold, endpoint, step_id, lambda asking: question_request(policy, step, replayed, asking), ())


def check_endpoint(goldfold: Goldfold, named: str) -> None:
    """Whether a caller from afar may have a draft by this endpoint: they name a file of ``judges_dir``, and no other of
    this machine. Raises Conflict where there is no such folder, or the file does not allow that content is sent,
    InvalidInput for a name without a file."""
    folder = goldfold.settings.judges_dir
    if folder is None:
        raise Conflict("no endpoint is configured: put endpoint files into a folder, and name it in judges_dir")
    path = folder / f"{named}.yaml"
    if Path(named).name != named or not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml"))) or "none"
        raise InvalidInput(f"endpoint: there is no {named}.yaml in judges_dir (known: {known})")
    if not read_endpoint(path, goldfold.policies).allow_content:
        raise Conflict(f"endpoint {named!r} may not be sent what people wrote: set allow_content in its file to true")


def _ask(goldfold: Goldfold, named: str, about: str, request: Request, codes: tuple[str, ...]) -> Draft:
    path = endpoint_path(named, goldfold.settings.judges_dir)
    file = read_endpoint(path, goldfold.policies)
    if not file.allow_content:
        raise SettingsError(
            f"{path}: allow_content: what people wrote of content would be sent to {file.url}; set it to true if that "
            "may be"
        )
    address = checked_address(file.url, private=file.private)
    service = HttpEndpoint(file.url, file.key_env, file.timeout_s, 1, address)
    asking = Asking(file.model, file.temperature, file.max_tokens, file.answer_format, file.limit_key)
    manners = Manners(attempts=file.attempts, concurrency=1, batch=1)
    try:
        reply = Caller(service, manners).ask(PATH, request(asking), 1)
    finally:
        service.close()
    if reply.status != HTTPStatus.OK:
        raise RemoteRefused(f"{service.name} answers {reply.status}{reason(reply)}: check the endpoint file {path}")
    return read_draft(about, reply.body, codes)
