"""The links under which a task's image is seen: made when it is sent, read when it is looked at, renewed in time.

The ledger keeps no link. One that Label Studio shows is checked by its signature: it must be ours, for this very task
and for the address that it stands at, whenever it was given. Anything else is a hand edit. So what a new signature
changes is no edit, and what leads to another task's image, or to another server, is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from labeling.media_links import TaskLink, read_task_link, sign_task_link
from labeling.records import Task

IMAGE = "image"  # the modality, and the field of a task's data that holds the clear image's link
BLURRED = "image_blurred"
FIELDS = {IMAGE: False, BLURRED: True}  # field -> whether it is the blurred image
PATH = "/media/"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Links:
    """Gives links to ``base_url``'s images, good for ``lifetime``, and reads them back. ``secret``: what they are
    signed with, ``labeling.media_links.MIN_SECRET`` characters or more."""

    base_url: str
    secret: str
    lifetime: timedelta
    clock: Callable[[], datetime] = _now

    def __repr__(self) -> str:
        return f"Links({self.base_url!r}, {self.lifetime})"

    def data(self, task: Task) -> dict[str, object]:
        """The fields of an image task's data that hold links, fresh ones."""
        until = self.clock() + self.lifetime
        return {field: self._link(TaskLink(task.task_id, blurred, until)) for field, blurred in FIELDS.items()}

    def edited(self, task: Task, data: Mapping[str, object]) -> str:
        """The first field that does not hold a link of ours to this task's image; "" when each does."""
        return next((field for field in FIELDS if self._given(task, field, data.get(field)) is None), "")

    def are_old(self, task: Task, data: Mapping[str, object]) -> bool:
        """Whether a link has come half of its way, or was given for another address of this service. Half, so that a
        sync may be late by as long as the other half."""
        soon = self.clock() + self.lifetime / 2
        for field in FIELDS:
            found = self._given(task, field, data.get(field))
            if found is None or found.until <= soon or not str(data[field]).startswith(self.base_url + PATH):
                return True
        return False

    def _link(self, link: TaskLink) -> str:
        return f"{self.base_url}{PATH}{sign_task_link(link, self.base_url, self.secret)}"

    def _given(self, task: Task, field: str, shown: object) -> TaskLink | None:
        """The link that we gave for this task and field, at whatever address; None where it is no such link."""
        base_url, path, token = shown.partition(PATH) if isinstance(shown, str) else ("", "", "")
        link = read_task_link(token, base_url, self.secret) if path else None
        if link is None or (link.task_id, link.blurred) != (task.task_id, FIELDS[field]):
            return None
        return link
