"""One Goldfold writer that pushes and pulls until everything is there: ``python -m tests.integration.chaos_child``. It
meets whatever the proxy does to it, goes on, and may be killed at any moment."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta

from labeling.errors import StudioError
from labeling.policies import Policy
from labeling.records import StudioProject
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio import pull, push, transport
from labeling.studio.client import StudioClient
from labeling.studio.pull import pull_project
from labeling.studio.push import push_tasks

CHUNK = 10  # many requests, so that many of them can fail
OVERLAP = timedelta(seconds=30)


def run(ledger: SqlLedger, client: StudioClient, project: StudioProject, policy: Policy, *, full: bool) -> None:
    """Push what is queued, and pull; again until both came through with nothing left."""
    while True:
        try:
            for group in ledger.tasks.unsent():
                tasks = ledger.tasks.next_unsent([group], 10**6)
                answers = ledger.annotations.current([task.task_id for task in tasks])
                answered = {task_id: len(found) for task_id, found in answers.items() if found}
                push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "chaos", answered=answered)
            pull_project(client, ledger, project, policy, full=full)
        except StudioError as error:
            print(f"goes on after {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            time.sleep(0.2)
            continue
        if not ledger.tasks.unsent():
            return


def main(argument: str) -> None:
    given = json.loads(argument)
    push.CHUNK, pull.OVERLAP = CHUNK, OVERLAP
    transport.FIRST_WAIT_S, transport.READ_TRIES = 0.02, 8
    ledger = open_ledger(given["ledger"])
    [project] = ledger.projects.all()
    policy = Policy.model_validate(given["policy"])
    with StudioClient(given["address"], given["token"], 60.0, settle_s=given["settle_s"]) as client:
        run(ledger, client, project, policy, full=given["full"])
    ledger.close()


if __name__ == "__main__":
    main(sys.argv[1])
