"""What if a policy's text were another one? Its cost first, then publishing it, or proposing it where two people must:
/console/policies/{policy_id}/what-if."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import Response

from api.console.formats import policy as policy_words
from api.console.forms import checked, file_of, given, lines
from api.console.page import Ask, EngineerAsk, LeadAsk, Page, wants_json
from api.console.pages.policies import rooms
from api.errors import status_of
from api.policy_changes import Follow, foresee
from api.policy_proposals import release
from api.routes.policies import ChangeIn, PublishIn
from api.uploads import Upload
from labeling.errors import LabelingError, PolicyError
from labeling.policies import Policy, read_policy
from labeling.policy_publish import history_of
from labeling.policy_texts import as_yaml
from labeling.policy_versions import ChangeKind

router = APIRouter(prefix="/policies")
PATH = "/console/policies"
MOST_BYTES = 256 * 2**10  # of a policy's file
TEXT = "policy.yaml"  # what the text of a form is called in messages


@router.get("/{policy_id}/what-if")
def what_if(ask: EngineerAsk, policy_id: str) -> Response:
    """The text in force, to be edited."""
    return ask.show(_page(ask, policy_id, as_yaml(_newest(ask, policy_id)), {}))


@router.post("/{policy_id}/what-if")
async def foreseen(ask: EngineerAsk, policy_id: str) -> Response:
    """What publishing the changed text would touch and cost. Nothing is written."""
    sent = await file_of(ask.request, MOST_BYTES)
    return await run_sync(
        _foreseen, ask, policy_id, ask.form.get("text", "").encode() if sent is None else sent.content
    )


@router.post("/{policy_id}/publish")
def publish(ask: LeadAsk, policy_id: str) -> Response:
    """Publish the text that was previewed, or propose it."""
    said = given(ask.form, "reason", "budget", "bridge")
    text = _policy(ask.form.get("text", "").encode())
    asked = checked(PublishIn, {**_change(ask), **said, "text": text})
    follow = Follow(ask.goldfold.settings.budget if asked.budget is None else asked.budget, asked.bridge)
    made = release(ask.goldfold, asked.draft(ask.goldfold, policy_id), asked.change(ask.actor), follow)
    if made.published is None:
        return ask.back(f"{PATH}/{policy_id}/proposals", f"{text.version} is proposed: another lead publishes it.")
    notes = "".join(f" {note}." for note in made.published.notes)
    return ask.back(f"{PATH}/{policy_id}/history", f"{policy_id} {made.published.version} is in force.{notes}")


def _foreseen(ask: Ask, policy_id: str, text: bytes) -> Response:
    filled = _change(ask) | {"reason": ask.form.get("reason", "")}
    filled |= {name: "\n".join(filled[name]) for name in ("rules", "predecessors")}
    try:
        told = _told(ask, policy_id, text)
    except LabelingError as error:
        if wants_json(ask.request):
            raise
        page = _page(ask, policy_id, text.decode(errors="replace"), filled)  # nobody types a policy twice
        refused = {**page.data, "problem": str(error)}
        return ask.show(replace(page, data=refused, status=status_of(type(error))))
    return ask.show(_page(ask, policy_id, text.decode(), filled, told))


def _told(ask: Ask, policy_id: str, text: bytes) -> dict[str, object]:
    asked = checked(ChangeIn, {**_change(ask), **given(ask.form, "reason"), "text": _policy(text)})
    return foresee(ask.goldfold, asked.draft(ask.goldfold, policy_id), asked.change("preview")).as_dict()


def _change(ask: Ask) -> dict[str, Any]:
    """The kinds that were ticked, and what they are about."""
    kinds = [kind.value for kind in ChangeKind if f"kind.{kind.value}" in ask.form]
    return {"kinds": kinds, "rules": lines(ask.form, "rules"), "predecessors": lines(ask.form, "predecessors")}


def _policy(text: bytes) -> Policy:
    """The policy that a YAML text holds. Raises PolicyError naming the line or the key."""
    if not text.strip():
        raise PolicyError(f"{TEXT}: is empty: put the whole policy there, not its changes alone")
    with Upload(TEXT, text).as_file() as path:
        return read_policy(path)


def _newest(ask: Ask, policy_id: str) -> Policy:
    return history_of(ask.goldfold.ledger, policy_id)[-1].policy


def _page(ask: Ask, policy_id: str, text: str, filled: dict[str, Any], told: dict[str, object] | None = None) -> Page:
    data = {
        **rooms(ask, policy_id),
        "text": text,
        "filled": {"kinds": [], "reason": "", "rules": "", "predecessors": "", **filled},
        "kinds": [kind.value for kind in ChangeKind],
        "newest": _newest(ask, policy_id).version,
        "foreseen": told,
        "problem": "",
        "may_publish": ask.is_lead,
        "two": ask.goldfold.settings.two_person_release,
        "budget": ask.goldfold.settings.budget,
    }
    return Page(f"{policy_words(policy_id)}: what if", "policy_what_if.html", data)
