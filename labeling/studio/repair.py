"""Undo what was edited by hand in a project: its form, its settings, and what its tasks show.

Answers that were given to other content stay invalid, also those that arrive while it is put back. Whoever had the task
open before, and submits later, cannot be told from others: ask people to reload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labeling.policies import Policy
from labeling.records import StudioProject, TaskState
from labeling.studio.asking import wanted
from labeling.studio.client import LOOKUP_MAX, StudioClient
from labeling.studio.events import read_events
from labeling.studio.links import Links
from labeling.studio.payload import EDITED, difference, task_data
from labeling.studio.projects import put_back
from labeling.studio.pull import PullReport, Stores, pull_project, rules_of
from labeling.studio.twins import by_task_id


@dataclass(slots=True)
class RepairReport:
    """``form``: it was put back. ``released``: tasks whose content was, and which people are asked again. ``requeued``:
    tasks that are not there any more. ``pulled``: what the sweep in between found."""

    form: bool
    released: int
    requeued: int
    pulled: PullReport


def repair_project(
    client: StudioClient, stores: Stores, project: StudioProject, policy: Policy, links: Links | None = None
) -> RepairReport:
    """Put everything back; safe to run again at any point. Raises what ``pull_project`` raises."""
    form = put_back(client, project, policy)
    pulled = pull_project(
        client, stores, project, policy, full=True, links=links
    )  # what people said of other content is read first
    report = RepairReport(form, 0, 0, pulled)
    edited = stores.tasks.ids(states=[TaskState.QUARANTINED], project_id=project.project_id)
    for start in range(0, len(edited), LOOKUP_MAX):
        _release(client, stores, project, policy, links, edited[start : start + LOOKUP_MAX], report)
    return report


def _release(
    client: StudioClient,
    stores: Stores,
    project: StudioProject,
    policy: Policy,
    links: Links | None,
    task_ids: Sequence[str],
    report: RepairReport,
) -> None:
    tasks = {t.task_id: t for t in stores.tasks.find(task_ids).values() if t.error.endswith(EDITED)}
    there = by_task_id(client.find_tasks(project.project_id, list(tasks)))
    for task_id, group in there.items():
        for each in group:
            if difference(tasks[task_id], each.data, links):
                client.set_data(each.studio_task_id, task_data(tasks[task_id], links))
    after = by_task_id(client.find_tasks(project.project_id, list(there), full=True))
    history = stores.annotations.history(list(after))
    rules, people = rules_of(client, project, policy), client.people()
    for task_id, group in after.items():
        new = read_events(task_id, group, history[task_id], rules, people, tasks[task_id].error, project.kind)
        stores.annotations.append(new)
        people_asked = wanted(tasks[task_id], group, [*history[task_id], *new])
        for each in group:
            if each.studio_task_id == tasks[task_id].studio_task_id:
                client.ask(each, people_asked)
    stores.tasks.set_state(list(after), TaskState.SENT)
    missing = [task_id for task_id in tasks if task_id not in after]
    stores.tasks.requeue(missing)
    report.released += len(after)
    report.requeued += len(missing)
