"""Starting, trying out and ending rounds, for the routes, the console and the command line alike."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from api.composition import Goldfold
from api.jobs.errors import JobUnknown
from api.jobs.records import ENDED, Job
from api.jobs.runtime import JobRuntime
from api.requests import check_round, check_round_here, round_request, typed_round
from labeling.errors import NothingToDo
from labeling.golden.newest import newest_name
from labeling.insights.round_outlook import Outlook, outlook
from labeling.records import Round
from labeling.rounds import Preview, cancel_round, preview
from labeling.yields import Yields, yields


def begin_round(goldfold: Goldfold, jobs: JobRuntime, given: Mapping[str, Any]) -> Job:
    """Start a round's job, which has the round's id; what was not ``given`` (None) comes from the settings. Raises what
    ``check_round`` and ``check_round_here`` raise, and JobConflict."""
    request = round_request(goldfold.settings, given)
    check_round(goldfold.policies, request)
    check_round_here(goldfold, request)
    return jobs.submit("round", request["round_id"], request)


def try_round(goldfold: Goldfold, given: Mapping[str, Any]) -> Preview:
    """A dry run over the items that are scored already; nothing is written."""
    request = typed_round(round_request(goldfold.settings, given))
    stores, lake, cache_dir = goldfold.ledger, goldfold.lake, goldfold.cache_dir
    policies, scorer, desk = goldfold.operating(), goldfold.scorer(), goldfold.image_desk()
    return preview(stores, lake, policies, scorer, request, cache_dir, desk, goldfold.image_frame())


def outlook_of(goldfold: Goldfold, given: Mapping[str, Any]) -> Outlook:
    """What a dry run says of the cost and the likely yield of a round that could be started."""
    check_round_here(goldfold, round_request(goldfold.settings, given))
    shown = try_round(goldfold, given)
    asked = list(given.get("policies") or sorted(goldfold.policies))
    versions = ", ".join(f"{name} {goldfold.policies[name].version}" for name in asked)
    past: Yields | str
    try:
        past = yields(goldfold.ledger)
    except NothingToDo as error:
        past = str(error)
    origin: dict[str, object] = {"golden_version": newest_name(goldfold.ledger.golden), "policy_version": versions}
    return outlook(shown.selection, shown.items_scored, past, origin)


def stop_round(goldfold: Goldfold, jobs: JobRuntime, round_id: str, actor: str) -> Round:
    """Stop the round's job at its next step and withdraw its open tasks. Raises NotFound, Conflict (it is closed)."""
    goldfold.ledger.rounds.get(round_id)
    with suppress(JobUnknown):  # its record was dropped: the ledger knows the round all the same
        if jobs.get(round_id).state not in ENDED:
            jobs.cancel(round_id)
    stopped = cancel_round(goldfold.ledger, round_id)
    goldfold.ledger.audit.add(actor, "round.cancel", round_id)
    return stopped
