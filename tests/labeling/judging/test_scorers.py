from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from labeling.errors import Conflict, NothingToDo, TooLittleGold
from labeling.golden.judges import judging_rows
from labeling.golden.text import NO_CAPTION
from labeling.judging.contender import Contender, of_prototypes
from labeling.judging.contest import Contest, hold
from labeling.judging.evaluate import judge
from labeling.judging.gate import Terms
from labeling.judging.scorers import limited, of_scorer
from labeling.judging.sealed import Door
from labeling.records import Partition
from scoring.base import Failure, Progress, Scores
from tests.labeling.shop import Shop

VERSION = "1.0.0"


@dataclass
class Words:
    """Fraud is what speaks of cheating; texts with ``bad`` in them cannot be read."""

    bad: str = "nothing"
    name: str = "words"
    version: str = "words-1"
    embedding_version: str = "none"
    policies: tuple[str, ...] = ("fraud", "gone")  # nobody has a policy "gone"

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        good = [i for i, text in enumerate(texts) if self.bad not in text.split()]
        shares = np.array([[0.9 if "cheat" in texts[i] else 0.1, 0.5] for i in good], np.float32).reshape(len(good), 2)
        failures = tuple(Failure(ids[i], "it is bad") for i in range(len(ids)) if i not in good)
        vectors = np.zeros((len(good), 1), np.float16)
        return Scores(tuple(ids[i] for i in good), self.policies, shares, vectors, failures)


@dataclass
class Pictures:
    """Looks at where an image is, which is all that there is of it here."""

    modality: str = "image"
    name: str = "pictures"
    version: str = "pictures-1"
    embedding_version: str = "none"
    policies: tuple[str, ...] = ("fraud",)

    def score_media(
        self, ids: Sequence[str], media: Sequence[str], texts: Sequence[str], progress: Progress | None = None
    ) -> Scores:
        shares = np.array([[float("scam" in where)] for where in media], np.float32)
        return Scores(tuple(ids), self.policies, shares, np.zeros((len(ids), 1), np.float16))


def figures(shop: Shop, contender: Contender) -> Any:
    return judge(shop.ledger.golden, shop.lake, contender, VERSION)


def test_a_scorer_is_judged_by_the_texts_of_golden_items(exam: Shop) -> None:
    seen: list[tuple[int, int]] = []
    contender = of_scorer(exam.lake, exam.policies, Words(), "scorer:words", progress=lambda *told: seen.append(told))
    found = figures(exam, contender)
    rows = judging_rows(exam.ledger.golden, VERSION, Partition.DEV)
    assert (found["slices"][0]["n"], found["left_out"]) == (len(rows), 0)
    assert found["slices"][0]["figures"]["accuracy"]["value"] == 1.0
    assert contender.thresholds == {"fraud": exam.policies["fraud"].threshold}
    assert (contender.family, contender.about()["details"]) == ("external", {"scorer": "words"})
    assert seen[-1] == (len(rows), len(rows))
    assert found["beside"]["unread"] == {"items": 0, "reasons": {}}


def test_what_it_cannot_read_is_left_out_and_counted(exam: Shop) -> None:
    rows = judging_rows(exam.ledger.golden, VERSION, Partition.DEV)
    bad = rows[1].text.split()[-1]
    contender = of_scorer(exam.lake, exam.policies, Words(bad), "scorer:words")
    found = figures(exam, contender)
    assert found["left_out"] == 1
    assert found["beside"]["unread"] == {"items": 1, "reasons": {"it is bad": 1}}
    exam.lake.erase([rows[0].item_id])
    with pytest.raises(TooLittleGold, match="12 labels are left, 13 are needed"):
        figures(exam, contender)
    assert contender.beside()["unread"] == {
        "items": 2,
        "reasons": {"it is bad": 1, "it is not in the lake any more": 1},
    }
    with pytest.raises(NothingToDo, match="says nothing about any item of the dev partition: it is bad"):
        figures(exam, of_scorer(exam.lake, exam.policies, Words("w" + bad[1:]), "w", fit=lambda _: [rows[1]]))


def test_images_are_judged_by_images_alone(exam: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    contender = of_scorer(exam.lake, exam.policies, Pictures(), "scorer:pictures")
    with pytest.raises(NothingToDo, match="holds no image item in its dev partition"):
        figures(exam, contender)
    door, prototypes = Door(exam.ledger, 5, 13, "eve"), of_prototypes(exam.lake, exam.policies, exam.prototypes)
    terms = Terms(dict.fromkeys(range(5), 0.25), {name: p.severity for name, p in exam.policies.items()}, 13)
    with pytest.raises(Conflict, match="reads image items and 'prototypes' text items"):
        hold(exam.ledger, Contest(contender, prototypes, VERSION, terms), door)
    members = exam.ledger.golden.members(VERSION)
    seen = [
        replace(row, modality="image", text="", caption_hash=NO_CAPTION) for row in members
    ]  # images without a caption
    monkeypatch.setattr(exam.ledger.golden, "members", lambda _version: seen)
    assert judging_rows(exam.ledger.golden, VERSION, Partition.DEV) == []
    assert len(judging_rows(exam.ledger.golden, VERSION, Partition.DEV, "image")) == len(
        [row for row in members if row.partition is Partition.DEV]
    )
    found = figures(exam, contender)
    assert found["slices"][0]["n"] == sum(row.partition is Partition.DEV for row in members)


def test_a_limit_draws_items_and_a_larger_one_adds(exam: Shop) -> None:
    rows = judging_rows(exam.ledger.golden, VERSION, Partition.DEV)
    few, more = limited(rows, 3), limited(rows, 9)
    assert (len(few), len(more)) == (3, 9)
    assert {row.item_id for row in few} <= {row.item_id for row in more}
    assert limited(rows[::-1], 3) == few[::-1]
