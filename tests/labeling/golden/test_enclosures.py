"""Images in exports, with pictures made for the test, read by the libraries that trainers use."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from labeling.erasure import remove_export
from labeling.errors import Conflict, IntegrityError, InvalidInput, UnknownItem
from labeling.golden import enclosures
from labeling.golden.enclosures import BYTES, FILES, HOWS, NONE, Enclosing, places_in
from labeling.golden.export import FORMS, export
from labeling.golden.publish import publish
from labeling.golden_records import HandedOut
from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.studio.label_config import parse_answer
from tests.labeling.golden.images import Album, drawn
from tests.labeling.golden.made import NOW, YES, golden_item
from tests.labeling.golden.test_publish import MemoryGolden
from tests.labeling.studio.build import make_policy

SHOTS = {"p1": drawn(3), "p2": drawn(4, "JPEG"), "p3": drawn(5, "WEBP")}


@pytest.fixture
def album() -> Album:
    return Album()


@pytest.fixture
def golden(album: Album, tmp_path: Path) -> MemoryGolden:
    rows: list[GoldenItem] = [
        golden_item("t1", "some words"),
        album.gold("p1", SHOTS["p1"], "=a caption"),
        album.gold("p1", SHOTS["p1"], "=a caption", policy_id="other"),
        album.gold("p2", SHOTS["p2"], outcome=Outcome.ALLOWED),
        album.gold("p3", SHOTS["p3"], partition=Partition.DEV),
    ]
    made = MemoryGolden(rows)
    publish(made, tmp_path / "golden", NOW)
    return made


def loaded(folder: Path, tmp_path: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


def test_datasets_reads_the_images_themselves(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    export(golden, "1.0.0", tmp_path / "out", partitions=["train", "dev"], enclosing=album.enclosing(BYTES))
    read = loaded(tmp_path / "out", tmp_path)
    assert read["train"].features["image"] == datasets.Image()
    assert read["train"]["modality"][:] == ["image", "image", "image", "text"]
    first, second, third, fourth = read["train"]
    assert (first["item_id"], first["text"], fourth["image"], fourth["text"]) == (
        "p1",
        "=a caption",
        None,
        "some words",
    )
    wanted = Image.open(BytesIO(SHOTS["p1"]))
    assert (first["image"].size, first["image"].tobytes()) == (wanted.size, wanted.tobytes())
    assert (second["policy_id"], second["image"].size, third["label"], third["text"]) == ("other", wanted.size, 0, "")
    held = read["dev"].cast_column("image", datasets.Image(decode=False))[0]
    assert (held["image"]["bytes"], held["content_sha256"]) == (SHOTS["p3"], hashlib.sha256(SHOTS["p3"]).hexdigest())


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_files_lie_beside_the_rows_under_their_hash(
    golden: MemoryGolden, album: Album, tmp_path: Path, form: str
) -> None:
    export(golden, "1.0.0", tmp_path / "out", form=form, enclosing=album.enclosing(FILES))
    rows = loaded(tmp_path / "out", tmp_path)["train"]
    for row in rows:
        if row["modality"] == "image":
            path = tmp_path / "out" / row["media"]
            assert path.read_bytes() == SHOTS[row["item_id"]]
            assert path.stem == row["content_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    kinds = sorted(path.suffix for path in (tmp_path / "out/media").rglob("*") if path.is_file())
    assert kinds == [".jpg", ".png"]  # one for both rows of p1, none of the partition dev
    if form == "csv":
        with (tmp_path / "out/data/train.csv").open(encoding="utf-8", newline="") as file:
            assert next(row["text"] for row in csv.DictReader(file)) == "'=a caption"


def test_without_media_a_row_says_where_it_lies_and_what_it_must_be(
    golden: MemoryGolden, album: Album, tmp_path: Path
) -> None:
    album.media["p2"] = "data:image/png;base64,AAAA"
    enclosing = Enclosing(NONE, album.places)  # nothing reads
    export(golden, "1.0.0", tmp_path / "out", form="jsonl", enclosing=enclosing)
    rows = [json.loads(line) for line in (tmp_path / "out/data/train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["media"] for row in rows] == ["shots/p1.png", "shots/p1.png", None, None]
    assert rows[0]["caption_sha256"] == hashlib.sha256(b"=a caption").hexdigest()
    assert [row["content_sha256"] for row in rows[:3]] == [
        hashlib.sha256(SHOTS[name]).hexdigest() for name in ("p1", "p1", "p2")
    ]
    assert not (tmp_path / "out/media").exists()


def test_label_studio_gets_a_file_for_each_form_and_links(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    def links(item_id: str) -> dict[str, object]:
        return {"image": f"https://gold.example.org/media/{item_id}", "image_blurred": "b"}

    enclosing = Enclosing(NONE, album.places, links=links)
    export(golden, "1.0.0", tmp_path / "out", form="label-studio", enclosing=enclosing)
    texts, images = (json.loads((tmp_path / f"out/data/{n}.json").read_text()) for n in ("train", "train-images"))
    assert [task["data"]["item_id"] for task in texts] == ["t1"]
    assert "image" not in texts[0]["data"]
    assert [task["data"]["image"] for task in images] == [
        f"https://gold.example.org/media/{item_id}" for item_id in ("p1", "p1", "p2")
    ]
    assert [task["data"]["text"] for task in images] == ["=a caption", "=a caption", "(no text)"]
    policy = make_policy(rules=[{"id": "threat", "title": "Threat", "definition": "Says it will hurt."}])
    assert parse_answer(policy, images[0]["annotations"][0]["result"]) == YES


def test_label_studio_without_links_is_told_where_images_lie(
    golden: MemoryGolden, album: Album, tmp_path: Path
) -> None:
    golden.published["1.0.0"] = (golden.version("1.0.0"), [m for m in golden.members("1.0.0") if m.item_id == "p1"])
    export(golden, "1.0.0", tmp_path / "out", form="label-studio", enclosing=album.enclosing(FILES))
    assert [path.name for path in (tmp_path / "out/data").iterdir()] == ["train-images.json"]
    [task, _] = json.loads((tmp_path / "out/data/train-images.json").read_text())
    assert (tmp_path / "out" / task["data"]["image"]).read_bytes() == SHOTS["p1"]


def test_the_card_counts_by_modality_and_says_the_licence(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(BYTES, licence="CC BY 4.0,\nby Ana"))
    words = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(words.split("---\n")[1])
    assert head["task_categories"] == ["image-classification", "text-classification"]
    assert {"name": "image", "dtype": "image"} in head["dataset_info"]["features"]
    assert "| train | image | 2 | 1 |" in words
    assert "| train | text | 1 | 0 |" in words
    assert "licence of the images: CC BY 4.0, by Ana\n" in words
    assert "- 1 rows have no embedding" not in words
    assert "1 rows have no embedding" in words  # of texts alone


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::pandas.errors.Pandas4Warning")
@pytest.mark.parametrize(("form", "how"), [("csv", NONE), ("jsonl", FILES), ("parquet", BYTES)])
def test_croissant_says_the_modality_and_is_valid(
    golden: MemoryGolden, album: Album, tmp_path: Path, form: str, how: str
) -> None:
    export(golden, "1.0.0", tmp_path / "out", form=form, enclosing=album.enclosing(how))
    dataset = mlcroissant.Dataset(jsonld=tmp_path / "out/croissant.json")
    assert not dataset.metadata.issues.errors
    assert "Rows by modality: 3 of image, 1 of text." in str(dataset.metadata.description)
    first, *_, last = dataset.records("train")
    assert (first["train/modality"], last["train/modality"]) == (b"image", b"text")
    if how == BYTES:
        wanted = Image.open(BytesIO(SHOTS["p1"]))
        assert (first["train/image"].size, last["train/image"]) == (wanted.size, None)


@pytest.mark.parametrize("how", [FILES, BYTES])
def test_an_image_that_is_not_what_people_judged_goes_nowhere(
    golden: MemoryGolden, album: Album, tmp_path: Path, how: str
) -> None:
    album.files[album.media["p2"]] = drawn(9)
    with pytest.raises(IntegrityError, match="item p2: its image is not the one that people judged"):
        export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(how))
    del album.files[album.media["p2"]]
    with pytest.raises(IntegrityError, match="item p2: its image cannot be found"):
        export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(how))
    del album.media["p2"]
    with pytest.raises(IntegrityError, match="item p2: the lake does not say where"):
        export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(how))
    assert [path.name for path in tmp_path.iterdir()] == ["golden"]
    export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(NONE))


def test_what_cannot_be_asked_for(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    for form in FORMS[1:]:
        with pytest.raises(InvalidInput, match=f"media: bytes go into parquet only, not into {form}"):
            export(golden, "1.0.0", tmp_path / "out", form=form, enclosing=album.enclosing(BYTES))
    with pytest.raises(InvalidInput, match="media: 'all' is not one of none, files, bytes"):
        export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing("all"))
    with pytest.raises(InvalidInput, match="nothing reads the media"):
        export(golden, "1.0.0", tmp_path / "out", enclosing=Enclosing(FILES, album.places))


def test_few_images_are_held_at_a_time(album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shots = [drawn(n) for n in range(9)]
    monkeypatch.setattr(enclosures, "BATCH_BYTES", 2 * len(shots[0]))
    rows = [album.gold(f"p{n}", shot, policy_id=policy) for n, shot in enumerate(shots) for policy in ("harm", "other")]
    golden = MemoryGolden(rows)
    publish(golden, tmp_path / "golden", NOW)
    done = export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(BYTES))
    assert done.rows == 18
    file = pq.ParquetFile(tmp_path / "out/data/train.parquet")
    groups = [file.read_row_group(n, ["item_id", "image"]) for n in range(file.num_row_groups)]
    assert len(groups) >= 3
    assert [i for group in groups for i in group["item_id"].to_pylist()] == [row.item_id for row in rows]
    assert all(
        image["bytes"] == shots[int(i[1:])] for g in groups for i, image in zip(*g.to_pydict().values(), strict=True)
    )


def test_erased_images_are_left_out_and_counted(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    version, members = golden.published["1.0.0"]
    gone = [replace(m, text="", content_hash="", state=GoldState.ERASED) if m.item_id == "p1" else m for m in members]
    golden.published["1.0.0"] = (version, gone)
    assert export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(FILES)).rows == 2
    assert "2 rows of the version were erased" in (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert len(list((tmp_path / "out/media").glob("*/*"))) == 1


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("form", FORMS)
def test_removing_an_export_takes_its_media_along(
    golden: MemoryGolden, album: Album, tmp_path: Path, form: str, how: str
) -> None:
    if how == BYTES and form != "parquet":
        return
    done = export(golden, "1.0.0", tmp_path / "out", form=form, enclosing=album.enclosing(how))
    one = HandedOut("x", "1.0.0", str(done.folder), form, ("train",), "", "cli", datetime.now(UTC))
    remove_export(one)
    assert not done.folder.exists()


def test_what_somebody_else_put_there_stays(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    done = export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(FILES))
    (done.folder / "media/notes.txt").write_text("mine")
    remove_export(HandedOut("x", "1.0.0", str(done.folder), "parquet", ("train",), "", "cli", datetime.now(UTC)))
    assert [str(p.relative_to(done.folder)) for p in done.folder.rglob("*") if p.is_file()] == ["media/notes.txt"]


def test_places_are_those_of_items_that_are_still_in_the_lake() -> None:
    class Lake:
        def ids(self) -> list[str]:
            return ["a", "c"]

        def take(self, item_ids: Any, columns: Any) -> pa.Table:
            if "b" in item_ids:
                raise UnknownItem("b")
            return pa.table({"media": [{"a": "x.png", "c": None}[item_id] for item_id in item_ids]})

    places = places_in(Lake())
    assert (places(["a", "b", "c"]), places([]), places(["b"])) == ({"a": "x.png"}, {}, {})


def test_nothing_is_overwritten(golden: MemoryGolden, album: Album, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(Conflict):
        export(golden, "1.0.0", tmp_path / "out", enclosing=album.enclosing(FILES))
