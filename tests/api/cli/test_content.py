from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pyarrow as pa
import pytest

from api.jobs import steps
from labeling.scorebook import disagreement_group, note_group
from scoring.metering import Bill
from tests.api.cli.conftest import Terminal
from tests.scoring.pictures import encoded, noise

GOOD = "\n".join(json.dumps({"external_id": f"post-{n}", "text": f"words of {n}"}) for n in range(5))


def test_a_file_comes_in_once(goldfold: Terminal) -> None:
    file = goldfold.file("posts.jsonl", GOOD)
    assert goldfold("ingest", file).out == "5 rows read: 5 added, 0 already there\n"
    assert goldfold("ingest", file).out == "5 rows read: 0 added, 5 already there\n"
    said = goldfold("ingest", goldfold.file("posts.jsonl.gz", gzip.compress(GOOD.encode())), "--json")
    assert (said.json["read"], said.json["already_there"], said.json["dry_run"]) == (5, 5, False)


def test_a_dry_run_writes_nothing(goldfold: Terminal) -> None:
    file = goldfold.file("posts.jsonl", GOOD)
    assert "5 would be added" in goldfold("ingest", file, "--dry-run").out
    with goldfold.opened() as site:
        assert (site.ledger.items.count(), site.lake.count()) == (0, 0)


def test_columns_are_renamed_and_dropped(goldfold: Terminal) -> None:
    file = goldfold.file("posts.csv", "post_id,body,label\n1,some words,bad\n")
    said = goldfold("ingest", file)
    assert said.code == 1
    assert all(name in said.err for name in ("post_id", "body", "label"))
    assert goldfold("ingest", file, "--map", "external_id=post_id", "--map", "text=body", "--drop", "label").code == 0
    said = goldfold("ingest", file, "--map", "text")
    assert (said.code, "text" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bad.jsonl", '{"external_id": "a", "text": "x"}\n{"external_id": "b"}\n', ["row 2", "text"]),
        ("bad.jsonl", '{"external_id": "a", "text": "x\\u0000"}\n', ["row 1", "text", "NUL"]),
        ("bad.jsonl", '{"external_id": "a"\n', ["row 1"]),
        ("bad.jsonl", b'{"external_id": "a", "text": "\xff\xfe"}\n', ["row 1", "UTF-8"]),
        ("bad.jsonl", json.dumps({"external_id": "a", "text": "x" * 20_001}), ["row 1", "text", "20000"]),
        ("bad.jsonl", json.dumps({"external_id": "a", "text": "x", "policies": ["nope"]}), ["row 1", "nope"]),
        ("bad.csv", "external_id,text,colour\n1,x,red\n", ["colour"]),
        ("bad.parquet", b"PAR1 not really", ["bad.parquet"]),
        ("bad.txt", "x", ["bad.txt"]),
        ("empty.jsonl", "", ["empty.jsonl", "no rows"]),
    ],
)
def test_a_bad_file_is_refused_whole_and_says_where(
    goldfold: Terminal, name: str, content: str | bytes, says: list[str]
) -> None:
    said = goldfold("ingest", goldfold.file(name, content))
    assert said.code == 1
    assert "Traceback" not in said.err
    for word in says:
        assert word in said.err, said.err
    with goldfold.opened() as site:
        assert (site.ledger.items.count(), site.lake.count()) == (0, 0)


def test_each_of_several_problems_is_listed(goldfold: Terminal) -> None:
    rows = [{"external_id": "a"}, {"external_id": "b", "text": "x", "views": -1}, {"external_id": "c", "text": "x"}]
    file = goldfold.file("bad.jsonl", "\n".join(map(json.dumps, rows)))
    said = goldfold("ingest", file, "--json")
    assert said.code == 1
    assert said.json["error"] == "invalid-input"
    assert [("row 1" in one, "row 2" in one) for one in said.json["problems"]] == [(True, False), (False, True)]
    lines = goldfold("ingest", file).err.splitlines()
    assert sum(line.startswith("  ") for line in lines) == 2


def test_the_same_id_with_other_content_is_refused(goldfold: Terminal) -> None:
    goldfold("ingest", goldfold.file("posts.jsonl", GOOD))
    other = goldfold.file("other.jsonl", json.dumps({"external_id": "post-1", "text": "others"}))
    said = goldfold("ingest", other, "--json")
    assert (said.code, said.json["error"]) == (1, "duplicate-item")
    assert "post-1" in said.err


def test_a_file_that_is_not_there_is_named(goldfold: Terminal) -> None:
    said = goldfold("ingest", "nowhere.jsonl")
    assert (said.code, "nowhere.jsonl" in said.err) == (1, True)


def test_scoring_stops_after_so_many_items_and_goes_on(goldfold: Terminal) -> None:
    goldfold("ingest", goldfold.file("posts.jsonl", GOOD))
    said = goldfold("score", "--max-items", "2")
    assert said.out.startswith("2 items scored by ")
    assert said.out.endswith("3 items still wait\n")
    rest = goldfold("score", "--max-items", "9", "--json").json
    assert (rest["scored"], rest["left"]) == (3, 0)
    assert goldfold("score", "--max-items", "0").code == 2


def test_scoring(goldfold: Terminal) -> None:
    goldfold("ingest", goldfold.file("posts.jsonl", GOOD))
    said = goldfold("score", "--id", "nightly")
    assert said.code == 0, said.err
    assert said.out.startswith("5 items scored by ")
    again = goldfold("score", "--id", "nightly", "--json")
    assert again.json["scored"] == 5
    assert goldfold("score", "--json").json["scored"] == 0
    said = goldfold("sync", "--id", "nightly")
    assert (said.code, "'nightly' is taken by another job" in said.err) == (1, True)
    said = goldfold("score", "--id", "../x")
    assert (said.code, "id: '../x' must be" in said.err) == (1, True)


def test_what_a_service_was_asked_for_is_told_in_one_line(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    goldfold("ingest", goldfold.file("posts.jsonl", GOOD))
    monkeypatch.setattr(steps, "bill", _growing(cost=0.25))
    told = "10 requests (0 retries), 20 texts sent, 0 tokens: 0.25 by the prices in the scorer file"
    assert goldfold("score", "--id", "paid").out.endswith(f"\n{told}\n")
    again = goldfold("score", "--id", "paid", "--json").json
    assert again["bill"] == {"requests": 10, "retries": 0, "items": 20, "tokens": 0, "cost": 0.25}


def _growing(cost: float) -> Callable[[object], Bill]:
    """A scorer's bill that is ten requests longer each time."""
    asked = iter(range(1000))

    def told(_scorer: object) -> Bill:
        n = next(asked)
        return Bill(10 * n, 0, 20 * n, 0, cost * n)

    return told


def test_an_item_is_shown_with_its_scores_and_notes(goldfold: Terminal) -> None:
    goldfold("ingest", goldfold.file("posts.jsonl", GOOD))
    assert "no score yet" in goldfold("show", "post-1").out
    goldfold("score")
    said = goldfold("show", "post-1")
    assert said.code == 0
    assert "words of 1" in said.out
    found = goldfold("show", "post-1", "--json").json
    (version, scores) = next(iter(found["scores"].items()))
    assert f"{version}: " in said.out
    assert all(f"{policy} {p:.3f}" in said.out for policy, p in scores.items())
    assert (found["external_id"], found["notes"]) == ("post-1", {})
    with goldfold.opened() as site:
        item_id, scorer = found["item_id"], site.scorer()
        site.lake.add_columns(note_group(scorer), [item_id], {"note": pa.array(["read in 3 parts"])})
        told = {policy: pa.array([0.125], pa.float32()) for policy in scorer.policies}
        site.lake.add_columns(disagreement_group(scorer), [item_id], told)
    shown = goldfold("show", "post-1").out
    assert all(f"{policy} 0.125" in shown.partition(f"{version} disagrees: ")[2] for policy in scores)
    assert "note: read in 3 parts" in goldfold("show", "post-1").out
    unknown = goldfold("show", "nobody")
    assert (unknown.code, "no item has the external_id 'nobody'" in unknown.err) == (1, True)


def test_images_wait_until_a_scorer_is_set(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    media = goldfold.folder.parent / "pictures"
    media.mkdir()
    (media / "a.png").write_bytes(encoded(noise(1, (60, 50)), "PNG"))
    rows = [{"external_id": "post-1", "text": "words"}]
    rows += [{"external_id": f"image-{n}", "media": name} for n, name in enumerate(("a.png", "gone.png"))]
    goldfold("ingest", goldfold.file("posts.jsonl", "\n".join(map(json.dumps, rows))))
    said = goldfold("score")
    assert "1 items scored by" in said.out
    assert "2 images wait: the setting image_scorer names no scorer for them" in said.out
    monkeypatch.setenv("GOLDFOLD_IMAGE_SCORER", "opennsfw")
    monkeypatch.setenv("GOLDFOLD_MEDIA_DIR", str(media))
    said = goldfold("score")
    assert "0 items scored by" in said.out
    assert "1 images scored by" in said.out
    assert "1 images could not be read and are tried again by the next run: the image cannot be found" in said.out
    item = goldfold("show", "image-0", "--json").json
    assert (item["modality"], item["media"], item["text"]) == ("image", "a.png", "")
    assert [list(scores) for scores in item["scores"].values()] == [["sexual"]]
    assert "image a.png" in goldfold("show", "image-0").out
    assert goldfold("score", "--json").json["waiting"] == []
