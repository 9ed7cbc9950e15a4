"""Images in rounds, over the real ledger and lake, with scorers that need no weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from labeling.assign import Anchor, AssignRules, plan_assignment
from labeling.assign import Question as Asked
from labeling.errors import BadMedia, IntegrityError, InvalidInput, NothingToDo
from labeling.floor import Desk
from labeling.golden.export import training_rows
from labeling.golden.fold import fold
from labeling.golden.vectors import no_vectors
from labeling.handout import hand_out
from labeling.precedents import Precedents
from labeling.records import (
    Adjudication,
    Cause,
    GoldenItem,
    GoldState,
    Item,
    Outcome,
    Partition,
    Person,
    Round,
    Task,
    TaskKind,
    TaskState,
    Verdict,
)
from labeling.round_costs import Costs
from labeling.round_images import Frame, ImageDesk, ImageFrame, opinions, read_frame
from labeling.rounds import open_round, preview, select_round
from labeling.score_run import ScoreRun
from labeling.scorebook import F32, Judge
from labeling.second_looks import Question, second_looks
from labeling.settle import LeadDesk, settle_all
from scoring.base import Progress, Scores
from selection.errors import BadPlan
from selection.types import Quota
from tests.labeling.shop import NO, NOW, Shop, items, yes


@dataclass
class Eye:
    """A scorer of images under one policy: each image its own probability, and a direction of its own."""

    policies: tuple[str, ...] = ("harm",)
    modality: str = "image"
    name: str = "eye"
    version: str = "eye-1"
    embedding_version: str = "eye-e1"
    dimension: int = 8

    def score_media(
        self, ids: Sequence[str], media: Sequence[str], texts: Sequence[str], progress: Progress | None = None
    ) -> Scores:
        del texts, progress
        seeds = [int(hashlib.sha256(one.encode()).hexdigest()[:8], 16) for one in media]
        rows = np.stack([np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds])
        return Scores(
            ids=tuple(ids),
            policies=self.policies,
            probabilities=np.array([[seed % 997 / 997] * len(self.policies) for seed in seeds], np.float32),
            embeddings=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16),
        )


@dataclass
class Gallery:
    """The bytes behind each image's media."""

    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, media: str) -> bytes:
        if media not in self.files:
            raise BadMedia("cannot be found below media_dir (gone); put the file there", passing=True)
        return self.files[media]


FRAME = ImageFrame(frozenset({"harm"}), "")
PERSON = Person("d@example.org", "D", 0, True, (), (), None, None, False, "", None, NOW)


def pictures(numbers: range, **changes: str) -> list[Item]:
    made = items(numbers, "")
    return [
        replace(
            item, item_id=f"im-{n:05}", external_id=f"im-{n}", modality="image", media=f"{n}.png", content_hash=f"m{n}"
        )
        for n, item in zip(numbers, made, strict=True)
        for item in [replace(item, **changes)]  # type: ignore[arg-type]
    ]


def hang(shop: Shop, count: int = 6, *, score: bool = True, **changes: str) -> tuple[Gallery, ImageDesk]:
    """Images in the lake."""
    shop.ingest(pictures(range(count), **changes))
    gallery = Gallery({f"{n}.png": b"bytes %d" % n for n in range(count)})
    if score:
        ScoreRun(shop.lake, Eye(), 100).go()
    return gallery, ImageDesk(Eye(), gallery.read, "")


def go(shop: Shop, desk: ImageDesk, **changes: object) -> tuple[Round, list[Task]]:
    asked = {"lanes": {"random": 1.0}, "duplicate_cosine": None, **changes}
    request = shop.request("r1", **asked)  # type: ignore[arg-type]
    open_round(shop.ledger, shop.lake, shop.policies, request, FRAME)
    round_ = select_round(shop.ledger, shop.lake, shop.policies, shop.scorer(), "r1", images=desk)
    return round_, shop.ledger.tasks.where(round_id="r1")


def test_texts_and_images_share_a_round_and_each_is_asked_what_its_scorer_judges(shop: Shop) -> None:
    gallery, desk = hang(shop.stocked(4))
    round_, tasks = go(shop, desk, budget=14)  # 4 texts under two policies, 6 images under one: all there is
    assert sorted((task.modality, task.policy_id) for task in tasks) == sorted(
        [("text", "fraud"), ("text", "harm")] * 4 + [("image", "harm")] * 6
    )
    for task in tasks:
        if task.modality == "image":
            number = task.item_id.removeprefix("im-").lstrip("0") or "0"
            assert task.content_hash == hashlib.sha256(gallery.files[f"{number}.png"]).hexdigest()
            assert task.text == ""
    assert round_.frame["modalities"] == {"image": 6, "text": 4}
    assert (round_.frame["image_scorer"], round_.frame["image_scorer_version"]) == ("eye", "eye-1")
    assert any("no image is asked about under fraud" in note for note in round_.notes)
    picks = {pick.item_id: pick.probability for pick in shop.ledger.rounds.picks("r1")}
    seed = int(hashlib.sha256(b"3.png").hexdigest()[:8], 16)
    assert picks["im-00003"] == pytest.approx(seed % 997 / 997, abs=1e-6)


def test_a_quota_bounds_images_and_their_look_costs_more(shop: Shop) -> None:
    _, desk = hang(shop.stocked(20))
    lanes, quotas = {"uncertain": 1.0}, (Quota("modality", "image", at_least=3, at_most=3),)
    round_, tasks = go(shop, desk, budget=9, lanes=lanes, quotas=quotas)
    assert sum(task.modality == "image" for task in tasks) == 3
    costs = Costs()
    assert costs.look("", "image") > costs.look("", "text")
    assert dict(round_.frame["estimate"])["minutes"] > 0  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("set_up", "note"),
    [
        ("unscored", "6 images are left out, since eye has not scored them: run the score job"),
        ("no secret", "6 images are left out: set media_link_secret"),
        ("nothing", "6 images are left out: images cannot be asked about here"),
    ],
)
def test_images_that_cannot_be_asked_about_are_left_out_and_a_note_says_why(shop: Shop, set_up: str, note: str) -> None:
    _, desk = hang(shop.stocked(5), score=set_up != "unscored")
    given = {"unscored": desk, "no secret": ImageDesk(missing="set media_link_secret"), "nothing": ImageDesk()}
    round_, tasks = go(shop, given[set_up], budget=5)
    assert {task.modality for task in tasks} == {"text"}
    assert any(note in one for one in round_.notes)


def test_videos_are_left_out_and_a_note_says_so(shop: Shop) -> None:
    shop.ingest([replace(item, modality="video") for item in pictures(range(90, 92))])
    _, desk = hang(shop.stocked(3))
    round_, _ = go(shop, desk, budget=3)
    assert any("2 videos are left out: videos are not shown in Label Studio yet" in note for note in round_.notes)


def test_a_round_of_images_alone_reads_their_own_embeddings(shop: Shop) -> None:
    _, desk = hang(shop, 9)
    request = shop.request("r1", budget=4, policies=("harm",), lanes={"uncertain": 1.0}, strategy="threshold")
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), request, images=desk)
    assert (shown.items_scored, len(shown.selection.picks)) == (9, 4)
    frame = read_frame(shop.lake, shop.ledger.items, 10, shop.scorer(), desk)
    assert (frame.sheet.embeddings.shape, frame.modality, frame.texts) == ((9, 8), "image", 0)
    _, tasks = go(shop, desk, budget=4, policies=("harm",))
    assert {task.modality for task in tasks} == {"image"}


def test_near_duplicates_are_kept_between_rounds_of_both_kinds(shop: Shop) -> None:
    _, desk = hang(shop.stocked(6))
    cache = shop.folder / "cache"
    for number, policies in enumerate([("harm",), ("fraud", "harm"), ("harm",)]):
        request = shop.request(f"r{number}", budget=3, policies=policies, lanes={"random": 1.0})
        open_round(shop.ledger, shop.lake, shop.policies, request, FRAME)
        made = select_round(shop.ledger, shop.lake, shop.policies, shop.scorer(), f"r{number}", cache, desk)
        assert not [note for note in made.notes if "near-duplicate index" in note]
    alone = read_frame(shop.lake, shop.ledger.items, 0, shop.scorer(), desk)
    assert alone.sheet.ids == ()


def test_beside_texts_an_image_has_no_embedding(shop: Shop) -> None:
    _, desk = hang(shop.stocked(3))
    frame: Frame = read_frame(shop.lake, shop.ledger.items, 10, shop.scorer(), desk)
    assert frame.sheet.embeddings.shape == (9, 32)
    assert frame.sheet.embeddings[:3].any(axis=1).all()
    assert not frame.sheet.embeddings[3:].any()
    assert frame.judged.tolist() == [[True, True]] * 3 + [[False, True]] * 6
    assert opinions(shop.scorer(), frame, ("harm",)) is None  # no committee


def test_only_images_and_nothing_to_ask_about_them_is_refused_before_anything_is_written(shop: Shop) -> None:
    hang(shop)
    missing = ImageFrame(missing="set image_scorer, and run the score job (goldfold score)")
    with pytest.raises(NothingToDo, match="images: set image_scorer, and run the score job"):
        open_round(shop.ledger, shop.lake, shop.policies, shop.request(), missing)
    quota = (Quota("modality", "image", at_least=1),)
    shop.stocked(9)
    with pytest.raises(BadPlan, match="modality 'image': no item has that modality"):
        open_round(shop.ledger, shop.lake, shop.policies, shop.request(budget=4, quotas=quota), missing)
    with pytest.raises(BadPlan, match="modality 'video': the pool has no such modality"):
        shop.open(shop.request(budget=4, quotas=(Quota("modality", "video", at_least=1),)))
    assert shop.ledger.rounds.all() == []


def test_a_policy_that_no_scorer_judges_is_named(shop: Shop) -> None:
    _, desk = hang(shop)
    with pytest.raises(InvalidInput, match="fraud: the scorer does not judge it"):
        go(shop, desk, budget=4)


def test_a_picked_image_that_cannot_be_read_is_asked_of_nobody_and_may_be_picked_again(shop: Shop) -> None:
    gallery, desk = hang(shop, 5)
    del gallery.files["2.png"]
    round_, tasks = go(shop, desk, budget=5, policies=("harm",))
    states = {task.item_id: (task.state, task.error) for task in tasks}
    assert states.pop("im-00002")[0] is TaskState.WITHDRAWN
    assert set(states.values()) == {(TaskState.QUEUED, "")}
    assert any("1 of the picked images cannot be read now" in note and "im-00002" in note for note in round_.notes)
    assert ("im-00002", "harm") not in shop.ledger.rounds.judged()


# --- from answers to gold ---


def settled(shop: Shop, gallery: Gallery, desk: ImageDesk, **changes: object) -> list[Task]:
    _, tasks = go(shop, desk, budget=5, policies=("harm",), **changes)
    shop.deliver()
    for task in tasks:
        shop.answer(task, yes(), yes())
    report = settle_all(shop.ledger, shop.lake, shop.groups, read=gallery.read)
    assert (report.settled, report.problems) == (len(tasks), [])
    return tasks


def test_agreed_images_become_gold_with_the_hash_of_their_bytes_and_a_group_each(shop: Shop) -> None:
    gallery, desk = hang(shop, 5)
    gallery.files["4.png"] = gallery.files["3.png"]  # the same bytes in two places are one thing
    tasks = settled(shop, gallery, desk)
    gold = shop.ledger.golden.items()
    assert [(row.modality, row.outcome, row.state) for row in gold] == [
        ("image", Outcome.VIOLATES, GoldState.ACTIVE)
    ] * 5
    assert {row.content_hash for row in gold} == {task.content_hash for task in tasks}
    groups = {row.item_id: row.group_id for row in gold}
    assert len(set(groups.values())) == 4
    assert groups["im-00003"] == groups["im-00004"]
    assert training_rows(gold) == []  # no text learns from them


def test_what_is_not_what_people_saw_becomes_no_gold(shop: Shop) -> None:
    gallery, desk = hang(shop, 5)
    _, tasks = go(shop, desk, budget=5, policies=("harm",))
    shop.deliver()
    for task in tasks:
        shop.answer(task, NO, NO)
    gallery.files["0.png"] = b"something else"
    del gallery.files["1.png"]
    report = settle_all(shop.ledger, shop.lake, shop.groups, read=gallery.read)
    reasons = sorted(problem.reason for problem in report.problems)
    assert report.settled == 3
    assert "its image cannot be found below media_dir" in reasons[0] or "its image cannot be found" in reasons[1]
    assert any("is not the one that people were asked about" in reason for reason in reasons)
    gallery.files |= {"0.png": b"bytes 0", "1.png": b"bytes 1"}  # put back: the next sync folds them
    assert settle_all(shop.ledger, shop.lake, shop.groups, read=gallery.read).settled == 2


def test_without_a_reader_no_image_is_folded(shop: Shop) -> None:
    _, desk = hang(shop, 5)
    _, tasks = go(shop, desk, budget=5, policies=("harm",))
    shop.deliver()
    shop.answer(tasks[0], NO, NO)
    (problem,) = settle_all(shop.ledger, shop.lake, shop.groups).problems
    assert "nothing reads the media of its image" in problem.reason


def test_a_disputed_image_goes_to_a_lead_as_an_image_and_its_blind_review_too(shop: Shop) -> None:
    gallery, desk = hang(shop, 5)
    _, tasks = go(shop, desk, budget=5, policies=("harm",))
    shop.deliver()
    shop.answer(tasks[0], yes(), NO)
    lead_desk = LeadDesk(review_share=1.0)
    assert settle_all(shop.ledger, shop.lake, shop.groups, desk=lead_desk, read=gallery.read).disputed == 1
    (question,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    assert (question.modality, question.content_hash) == ("image", tasks[0].content_hash)
    shop.deliver()
    shop.answer(question, replace(NO, verdict=Verdict.SINGLE, cause=Cause.A_WRONG, rationale="r"), people=("eve",))
    assert settle_all(shop.ledger, shop.lake, shop.groups, desk=lead_desk, read=gallery.read).golden == 1
    (review,) = shop.ledger.tasks.where(kind=TaskKind.REVIEW)
    assert review.modality == "image"


def test_precedents_of_an_image_are_images(shop: Shop) -> None:
    gallery, desk = hang(shop, 5)
    settled(shop, gallery, desk)
    near: dict[str, F32] = {f"im-{n:05}": np.arange(1, 9, dtype=np.float32) for n in range(10)}
    gold = _Gold([replace(row, partition=Partition.TRAIN) for row in shop.ledger.golden.items()])
    told = Precedents(gold, no_vectors, image_vectors=lambda item_ids: {i: near[i] for i in item_ids})
    task = replace(shop.ledger.tasks.where(round_id="r1")[0], item_id="im-00009")
    assert told(task).count("an image, violates") == 3
    assert told(replace(task, modality="text")) == ""


@dataclass
class _Gold:
    rows: list[GoldenItem]

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]:
        del partition, policy_id
        return self.rows

    def adjudications(self, task_id: str | None = None) -> list[Adjudication]:
        del task_id
        return []


def test_second_looks_are_taken_at_images_too(shop: Shop) -> None:
    gallery, desk = hang(shop, 20)
    shop.shares = replace(shop.shares, train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    tasks = settled(shop, gallery, desk)
    asked = frozenset(task.item_id for task in tasks)
    question = Question({"harm": "1.0.0"}, {"text": {"harm": 0.5}, "image": {"harm": 0.5}}, asked)
    judges: dict[str, Judge] = {"text": shop.scorer(), "image": Eye()}
    looks = second_looks(shop.ledger, shop.lake, judges, question)
    assert looks is not None
    assert set(looks.ids) == asked
    assert second_looks(shop.ledger, shop.lake, {"text": shop.scorer()}, question) is None


def test_an_assisted_image_keeps_its_kind_and_costs_an_images_look(shop: Shop) -> None:
    _, desk = hang(shop, 5)
    _, tasks = go(shop, desk, budget=5, policies=("harm",), assisted=1.0, assisted_blind_share=0.4)
    beside = [task for task in tasks if task.kind is TaskKind.ASSISTED]
    assert len(beside) == 5
    assert {task.modality for task in tasks} == {"image"}
    chances = {pick.item_id: pick.probability for pick in shop.ledger.rounds.picks("r1")}
    assert {json.loads(task.prompt)["model"] for task in beside} == {"eye eye-1"}
    for task in beside:
        assert task.exposure == pytest.approx(4 * chances[task.item_id] * Costs().look("", "image"), rel=1e-5)


def test_copies_of_images_are_images(shop: Shop) -> None:
    _, desk = hang(shop.stocked(8), 12)
    now = datetime.now(UTC)
    shop.ledger.people.add(PERSON, "test")
    go(shop, desk, budget=12, policies=("harm",), overlap=1)
    hand_out(shop.ledger, shop.lake, shop.policies, AssignRules(), Costs(), now)
    roots = {task.task_id: task for task in shop.ledger.tasks.where(round_id="r1", kind=TaskKind.BLIND)}
    copies = shop.ledger.tasks.where(round_id="r1", kind=TaskKind.COPY)
    assert {copy.modality for copy in copies} == {"text", "image"}
    assert all(copy.modality == roots[copy.parent_task_id or ""].modality for copy in copies)


@pytest.mark.parametrize("modality", ["text", "image"])
def test_an_image_is_injected_among_images_alone(modality: str) -> None:
    anchors = [Anchor(kind, "harm", "1.0.0", "en", 1.0, 0, frozenset({kind}), kind) for kind in ("text", "image")]
    asked = Asked("t-1", "harm", "1.0.0", "en", 1.0, 0, 1, False, frozenset({"it-1"}), modality)
    plan = plan_assignment([asked], [Desk(PERSON)], AssignRules(injection_rate=0.999999), anchors=anchors)
    assert sorted((place.task_id, place.item_id) for place in plan.placements) == [("", modality), ("t-1", "")]


def test_folding_names_the_task_whose_bytes_changed(shop: Shop) -> None:
    gallery, desk = hang(shop, 5)
    tasks = settled(shop, gallery, desk)
    (final,) = shop.ledger.golden.adjudications(tasks[0].task_id)
    with pytest.raises(IntegrityError, match=f"task {tasks[0].task_id}: its image is not the one"):
        fold(
            shop.ledger.golden, shop.lake, shop.groups(), final, tasks[0], None, datetime.now(UTC), read=lambda _: b"x"
        )
