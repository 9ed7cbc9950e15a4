"""Ending a round early, for the routes and the command line alike."""

from __future__ import annotations

from contextlib import suppress

from api.composition import Goldfold
from api.jobs.errors import JobUnknown
from api.jobs.records import ENDED
from api.jobs.runtime import JobRuntime
from labeling.records import Round
from labeling.rounds import cancel_round


def stop_round(goldfold: Goldfold, jobs: JobRuntime, round_id: str, actor: str) -> Round:
    """Stop the round's job at its next step and withdraw its open tasks. Raises NotFound, Conflict (it is closed)."""
    goldfold.ledger.rounds.get(round_id)
    with suppress(JobUnknown):  # its record was dropped: the ledger knows the round all the same
        if jobs.get(round_id).state not in ENDED:
            jobs.cancel(round_id)
    stopped = cancel_round(goldfold.ledger, round_id)
    goldfold.ledger.audit.add(actor, "round.cancel", round_id)
    return stopped
