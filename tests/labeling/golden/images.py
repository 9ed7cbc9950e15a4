"""Golden rows of pictures that are made for the test, and where their bytes lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Protocol

from labeling.adjudication import agreement
from labeling.consensus import Agreed, votes
from labeling.errors import BadMedia
from labeling.golden.enclosures import Enclosing
from labeling.golden.fold import fold
from labeling.golden.partition import Groups
from labeling.golden.text import caption_hash
from labeling.records import (
    Answer,
    GoldenItem,
    How,
    Item,
    Outcome,
    Partition,
    PickRow,
    Round,
    RoundState,
    TaskState,
)
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger
from tests.labeling.golden.desk import PEOPLE, Desk
from tests.labeling.golden.made import NOW, YES, annotation, blind_task, golden_item
from tests.scoring.test_perceptual import picture


def drawn(seed: int, kind: str = "PNG") -> bytes:
    """The bytes of a picture."""
    file = BytesIO()
    picture(seed).save(file, kind)
    return file.getvalue()


class Stores(Protocol):
    """A ledger and a lake."""

    @property
    def ledger(self) -> SqlLedger: ...

    @property
    def lake(self) -> LanceLake: ...


@dataclass
class Album:
    """Pictures by their media, which items by id name."""

    media: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    read_at_once: int = 0

    def gold(
        self,
        item_id: str,
        data: bytes,
        caption: str = "",
        partition: Partition = Partition.TRAIN,
        outcome: Outcome = Outcome.VIOLATES,
        policy_id: str = "harm",
    ) -> GoldenItem:
        """A golden row about a picture."""
        self.media[item_id] = f"shots/{item_id}.png"
        self.files[self.media[item_id]] = data
        made = golden_item(item_id, "a caption", partition, outcome=outcome, policy_id=policy_id)
        return replace(
            made,
            modality="image",
            text=caption,
            content_hash=hashlib.sha256(data).hexdigest(),
            caption_hash=caption_hash("image", caption),
        )

    def places(self, item_ids: Sequence[str]) -> dict[str, str]:
        return {item_id: self.media[item_id] for item_id in item_ids if item_id in self.media}

    def read(self, media: str) -> bytes:
        if media not in self.files:
            raise BadMedia("cannot be found below media_dir; put the file there", passing=True)
        return self.files[media]

    def enclosing(self, how: str, **more: str) -> Enclosing:
        return Enclosing(how, self.places, self.read, **more)  # type: ignore[arg-type]


def label_image(
    desk: Desk, album: Album, item_id: str, data: bytes, caption: str = "", answer: Answer = YES, shown: str = ""
) -> GoldenItem | None:
    """Bring a picture in, ask two people about it beside the caption ``shown`` (its own), and fold their answer."""
    bring_images(desk, album, {item_id: (data, caption)})
    return fold_image(desk, desk.groups(), album, item_id, shown or caption, answer)


def bring_images(stores: Stores, album: Album, shots: Mapping[str, tuple[bytes, str]]) -> None:
    """Pictures and their captions, by item, into the lake and the ledger."""
    items = []
    for item_id, (data, caption) in shots.items():
        media = f"shots/{item_id}.png"
        album.media[item_id], album.files[media] = media, data
        where = f"place of {item_id}"
        items.append(Item(item_id, f"ext-{item_id}", caption, where, modality="image", media=media))
    stores.ledger.items.register(items, stores.lake.append(items))


def fold_image(
    desk: Stores,
    groups: Groups,
    album: Album,
    item_id: str,
    caption: str = "",
    answer: Answer = YES,
    policy: tuple[str, str] = ("harm", "1.0.0"),
) -> GoldenItem | None:
    """Ask two people about a picture that is there, in a round of its own, and fold their answer."""
    data = album.files[album.media[item_id]]
    round_id, digest = f"r-{item_id}", hashlib.sha256(data).hexdigest()
    made = blind_task(f"t-{item_id}", caption, item_id=item_id)
    made = replace(made, policy_id=policy[0], policy_version=policy[1])
    task = replace(made, round_id=round_id, modality="image", content_hash=digest, state=TaskState.QUEUED)
    task = replace(task, project_id=None, studio_task_id=None)
    pick = PickRow(round_id, item_id, policy[0], "random", 0.25, 0.5, "g", ())
    desk.ledger.rounds.create(Round(round_id, RoundState.PLANNED, 0, {}, {}, "", (), NOW, NOW))
    desk.ledger.rounds.record_selection(round_id, [pick], [task], {}, "s", [])
    desk.ledger.tasks.mark_sending([task.task_id], 1)
    desk.ledger.tasks.mark_sent({task.task_id: len(desk.ledger.tasks.where())})
    answers = [annotation(who, answer, n) for n, who in enumerate(PEOPLE, start=1)]
    final = agreement(task, Agreed(answer, How.UNANIMOUS, votes(answers), PEOPLE), NOW)
    return fold(desk.ledger.golden, desk.lake, groups, final, task, pick, datetime.now(UTC), read=album.read)
