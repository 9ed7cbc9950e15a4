from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import pyarrow.parquet as pq
import pytest
import yaml

from labeling.errors import Conflict, InvalidInput, LeakError, NothingToDo, StoreError
from labeling.golden import export as export_module
from labeling.golden.croissant import ENCODINGS
from labeling.golden.export import FORMS, export
from labeling.golden.publish import publish
from labeling.golden.vectors import Vectors
from labeling.quality.agreement import summary
from labeling.records import GoldenItem, GoldState, Outcome, Partition, Tier
from labeling.studio.label_config import parse_answer
from scoring.perceptual import image_hash
from tests.labeling.golden.desk import Desk
from tests.labeling.golden.made import NO, NOW, YES, golden_item
from tests.labeling.golden.test_partition import Angles, Pictures
from tests.labeling.golden.test_publish import MemoryGolden
from tests.labeling.studio.build import make_policy
from tests.scoring.test_perceptual import picture

ODD = 'Two\nlines, "quoted",\ttabs, ünïcode \U0001f602 and a ; semicolon'
ROWS = [
    golden_item("t1", ODD),
    replace(golden_item("t2", "=cmd|' /C calc'!A0", outcome=Outcome.ALLOWED, pi=None), tier=Tier.PROVISIONAL),
    replace(golden_item("t3"), votes={"allowed": 1, "violates/threat": 1}),
    golden_item("d1", "for tuning", Partition.DEV),
    golden_item("c1", "for calibration", Partition.CALIBRATION, outcome=Outcome.ALLOWED),
    golden_item("s1", "the exam itself", Partition.SEALED),
]


@pytest.fixture
def golden(tmp_path: Path) -> MemoryGolden:
    made = MemoryGolden(list(ROWS))
    publish(made, tmp_path / "golden", NOW)
    return made


def _load(folder: Path, tmp_path: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_datasets_reads_an_export_with_typed_splits(golden: MemoryGolden, tmp_path: Path, form: str) -> None:
    done = export(golden, "1.0.0", tmp_path / "out", form=form, partitions=["train", "dev", "calibration"])
    assert (done.rows, done.counts) == (5, {"train": 3, "dev": 1, "calibration": 1})
    loaded = _load(tmp_path / "out", tmp_path)
    assert {split: len(rows) for split, rows in loaded.items()} == done.counts
    features = loaded["train"].features
    assert features["label"] == datasets.ClassLabel(names=["allowed", "violates"])
    assert features["votes"] == datasets.List({"answer": datasets.Value("string"), "people": datasets.Value("int32")})
    assert features["pi"] == datasets.Value("float64")
    first, second, third = loaded["train"]
    assert (first["text"], first["label"], first["pi"], first["weight"]) == (ODD, 1, 0.25, 4.0)
    assert (second["text"], second["pi"], second["weight"], second["rule"]) == (ROWS[1].text, None, None, None)
    assert third["soft_label"] == 0.5
    assert third["votes"] == [{"answer": "allowed", "people": 1}, {"answer": "violates/threat", "people": 1}]


def test_datasets_reads_csv_too_and_no_cell_is_a_formula(golden: MemoryGolden, tmp_path: Path) -> None:
    export(golden, "1.0.0", tmp_path / "out", form="csv")
    with (tmp_path / "out/data/train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["text"] for r in rows] == [ODD, "'" + ROWS[1].text, ROWS[2].text]
    loaded = _load(tmp_path / "out", tmp_path)["train"]
    assert loaded["label"][:] == [1, 0, 1]
    assert json.loads(loaded[0]["votes"]) == [{"answer": "violates/threat", "people": 2}]


def test_the_card_says_what_it_is(golden: MemoryGolden, tmp_path: Path) -> None:
    export(golden, "1.0.0", tmp_path / "out", partitions=["train", "dev"])
    words = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(words.split("---\n")[1])
    assert head["configs"][0]["data_files"] == [
        {"split": "train", "path": "data/train.parquet"},
        {"split": "dev", "path": "data/dev.parquet"},
    ]
    assert head["language"] == ["en"]
    for said in (
        golden.version("1.0.0").merkle_root,
        "golden version: 1.0.0 (parent: none)",
        "| train | harm | 1.0.0 | 2 | 1 |",
        "3 of 4 rows have a known probability",
        "| uncertain | 1 | null |",
        "1 rows rest on one person's answer",
        "1 rows had differing votes",
        "4 rows have no embedding",
    ):
        assert said in words


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::pandas.errors.Pandas4Warning")
@pytest.mark.parametrize("form", ENCODINGS)
def test_croissant_describes_every_row(golden: MemoryGolden, tmp_path: Path, form: str) -> None:
    export(golden, "1.0.0", tmp_path / "out", form=form, partitions=["train", "dev"])
    dataset = mlcroissant.Dataset(jsonld=tmp_path / "out/croissant.json")
    issues = dataset.metadata.issues
    assert not issues.errors
    unsaid = {warning.rsplit("/", 1)[-1].split('"')[0] for warning in issues.warnings}
    assert unsaid <= {"license", "creator", "url", "citeAs"}  # whose content it is, only its owner knows
    assert dataset.metadata.distribution[0].sha256 == _sha256(tmp_path / "out" / f"data/train.{form}")
    first, second, third = dataset.records("train")
    words = ROWS[1].text if form != "csv" else "'" + ROWS[1].text
    assert (first["train/text"], second["train/text"]) == (ODD.encode(), words.encode())
    assert (first["train/label"], first["train/pi"], second["train/pi"]) == (1, 0.25, None)
    if form == "csv":
        assert json.loads(third["train/votes"])[1]["people"] == 1
    else:
        votes = [{"train/votes/answer": key, "train/votes/people": 1} for key in (b"allowed", b"violates/threat")]
        assert third["train/votes"] == votes
    assert len(list(dataset.records("dev"))) == 1


def test_label_studio_reads_the_answers_of_its_form(golden: MemoryGolden, tmp_path: Path) -> None:
    export(golden, "1.0.0", tmp_path / "out", form="label-studio")
    tasks = json.loads((tmp_path / "out/data/train.json").read_text(encoding="utf-8"))
    assert [task["data"]["text"] for task in tasks] == [ODD, ROWS[1].text, ROWS[2].text]
    [given] = tasks[0]["annotations"]
    assert given["ground_truth"] is True
    assert (
        parse_answer(
            make_policy(rules=[{"id": "threat", "title": "Threat", "definition": "Says it will hurt."}]),
            given["result"],
        )
        == YES
    )
    assert "dataset_info" not in (tmp_path / "out/README.md").read_text(encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_card_tells_how_far_people_agreed(tmp_path: Path) -> None:
    votes = {"violates/threat": 2}, {"allowed": 2}, {"allowed": 1, "violates/threat": 1}
    rows = [replace(golden_item(f"i{n:02}", f"words {n}"), votes=votes[n % 3]) for n in range(30)]
    golden = MemoryGolden(rows)
    publish(golden, tmp_path / "golden", NOW)
    export(golden, "1.0.0", tmp_path / "out")
    words = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    found = summary([[key for key, n in item.votes.items() for _ in range(n)] for item in rows])
    assert f"| harm | 30 | {found.observed.value:.3f} [" in words
    assert f"| {found.alpha.value:.3f} [" in words
    assert f"| {found.ac1.value:.3f} [" in words


@pytest.mark.parametrize("form", FORMS)
def test_an_export_is_the_same_every_time(golden: MemoryGolden, tmp_path: Path, form: str) -> None:
    found = []
    for name in ("one", "two"):
        export(golden, "1.0.0", tmp_path / name, form=form, partitions=["dev", "train"])
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        found.append([(str(p.relative_to(tmp_path / name)), hashlib.sha256(p.read_bytes()).hexdigest()) for p in files])
    assert found[0] == found[1]
    assert len(found[0]) == (3 if form == "label-studio" else 4)


def test_sealed_never_leaves(golden: MemoryGolden, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="sealed is never exported"):
        export(golden, "1.0.0", tmp_path / "out", partitions=["dev", "sealed"])
    export(golden, "1.0.0", tmp_path / "out", form="jsonl", partitions=["train", "dev", "calibration"])
    assert not any(
        "the exam itself" in p.read_text(encoding="utf-8") for p in (tmp_path / "out").rglob("*") if p.is_file()
    )


@pytest.mark.parametrize(
    ("partitions", "form", "message"),
    [(["all"], "jsonl", "'all' is not one of"), ([], "jsonl", "at least one"), (["train"], "xml", "format: 'xml'")],
)
def test_unknown_words_are_refused(
    golden: MemoryGolden, tmp_path: Path, partitions: list[str], form: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        export(golden, "1.0.0", tmp_path / "out", form=form, partitions=partitions)


def test_nothing_is_overwritten(golden: MemoryGolden, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(Conflict, match="there already"):
        export(golden, "1.0.0", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_partition_is_left_out_and_none_at_all_is_an_error(golden: MemoryGolden, tmp_path: Path) -> None:
    done = export(golden, "1.0.0", tmp_path / "out", partitions=["dev", "anchor"])
    assert done.counts == {"dev": 1}
    with pytest.raises(NothingToDo, match="holds no row in anchor"):
        export(golden, "1.0.0", tmp_path / "other", partitions=["anchor"])


LEAKY: list[tuple[GoldenItem, Vectors, str]] = [
    (golden_item("s2", ODD, Partition.SEALED), Angles({}), r"t1 gives away s2 \(sealed, same text\)"),
    (golden_item("s2", ODD.upper(), Partition.SEALED), Angles({}), "same text after normalisation"),
    (
        golden_item("c2", "x", Partition.CALIBRATION),
        Angles({"t3": 0, "c2": 5}),
        r"t3 gives away c2 \(calibration, embeddings",
    ),
]


@pytest.mark.parametrize(("exam", "vectors", "message"), LEAKY)
def test_a_leaking_training_export_fails_and_names_the_pair(
    tmp_path: Path, exam: GoldenItem, vectors: Vectors, message: str
) -> None:
    golden = MemoryGolden([*ROWS, exam])
    publish(golden, tmp_path / "golden", NOW)
    with pytest.raises(LeakError, match=message):
        export(golden, "1.0.0", tmp_path / "out", vectors=vectors)
    assert not (tmp_path / "out").exists()
    assert export(golden, "1.0.0", tmp_path / "out", partitions=["dev"], vectors=vectors).rows == 1


SEALED = "They should all be sent away from this town before the winter comes"
COPIES = {
    "re-spaced": "They   should\tall be\n sent away from this town before  the winter comes ",
    "letters apart": "T h e y should all be s e n t away from this town before the w i n t e r comes",
    "run together": "Theyshouldallbesentawayfromthistownbeforethewintercomes",
    "re-cased": "tHEY SHOULD ALL BE SENT AWAY FROM THIS TOWN BEFORE THE WINTER COMES",
    "punctuated": "They... should all - be sent away (from this town) before the winter comes?!",
    "padded with pictures": "\U0001f602 They should all be sent \U0001f44d\U0001f3fd away from this town before the "
    "winter comes 1\ufe0f\u20e3 \u2122 \U0001f1ea\U0001f1fa",
    "Cyrillic": "Тhеу shоuld аll bе sеnt аwау frоm thіs tоwn bеfоrе thе wіntеr соmеs",
    "Greek": "Τhεy shοuld αll bε sεnt αwαy frοm thιs tοwn bεfοrε thε wιntεr cοmεs",
    "Greek capitals": "ΤΗΕΥ SΗΟULD ΑLL ΒΕ SΕΝΤ ΑWΑΥ FRΟΜ ΤΗΙS ΤΟWΝ ΒΕFΟRΕ ΤΗΕ WΙΝΤΕR CΟΜΕS",
    "full width": SEALED.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
    "mathematical": SEALED.translate({code: 0x1D41A + code - 97 for code in range(97, 123)}),
    "small capitals": "ᴛʜᴇʏ ꜱʜᴏᴜʟᴅ ᴀʟʟ ʙᴇ ꜱᴇɴᴛ ᴀᴡᴀʏ ꜰʀᴏᴍ ᴛʜɪꜱ ᴛᴏᴡɴ ʙᴇꜰᴏʀᴇ ᴛʜᴇ ᴡɪɴᴛᴇʀ ᴄᴏᴍᴇꜱ",
    "zero width": "\u200b".join(SEALED),
    "soft hyphens and direction": "\u202a" + "\u00ad".join(SEALED) + "\u202c",
    "combining marks": "\u0336".join(SEALED) + "\u0301",
    "accents": "Thëy shöuld åll bé sènt äwäy från this tôwn bëförë thê wìntér cömes".replace("från", "fröm"),
}
NEARLY = {
    "a word more": SEALED + " again",
    "a typing error": SEALED.replace("before", "befroe"),
    "a word changed": SEALED.replace("winter", "summer"),
}
SIMILAR = [
    "They should all be welcomed to our village when spring arrives",
    "People who were sent away from that city came back in winter",
    "All of them should leave, and soon",
    "Should they be sent away? I do not think so at all",
]


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_a_copy_made_to_look_new_is_refused_and_the_pair_is_named(tmp_path: Path, copy: str) -> None:
    golden = MemoryGolden([*ROWS, golden_item("s2", SEALED, Partition.SEALED), golden_item("t9", copy)])
    publish(golden, tmp_path / "golden", NOW)
    with pytest.raises(LeakError, match=r"t9 gives away s2 \(sealed, same text after normalisation\)") as caught:
        export(golden, "1.0.0", tmp_path / "out")
    assert "in 1 pairs" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("copy", NEARLY.values(), ids=NEARLY.keys())
def test_a_text_that_is_nearly_the_same_is_refused_too(tmp_path: Path, copy: str) -> None:
    golden = MemoryGolden([*ROWS, golden_item("s2", SEALED, Partition.SEALED), golden_item("t9", copy)])
    publish(golden, tmp_path / "golden", NOW)
    with pytest.raises(LeakError, match=r"t9 gives away s2 \(sealed, texts that share 70% of their runs"):
        export(golden, "1.0.0", tmp_path / "out")


def test_texts_about_the_same_are_no_copies(tmp_path: Path) -> None:
    others = [golden_item(f"t{n}", text) for n, text in enumerate(SIMILAR, 10)]
    golden = MemoryGolden([*ROWS, golden_item("s2", SEALED, Partition.SEALED), *others])
    publish(golden, tmp_path / "golden", NOW)
    assert export(golden, "1.0.0", tmp_path / "out").rows == 3 + len(SIMILAR)


@pytest.mark.parametrize(
    "how", [{"format": "JPEG", "quality": 40}, {"format": "WEBP", "quality": 60}, {"format": "PNG"}], ids=str
)
def test_a_copy_of_a_sealed_picture_is_refused_and_another_picture_is_not(tmp_path: Path, how: dict[str, Any]) -> None:
    first, copy, other = BytesIO(), BytesIO(), BytesIO()
    picture(3).save(first, "PNG")
    picture(3).resize((150, 110)).save(copy, **how)
    picture(4).save(other, "PNG")
    seen = {"s2": first, "t9": copy, "t8": other}
    pictures = Pictures({item_id: int(image_hash(file.getvalue())) for item_id, file in seen.items()})
    same = "so funny"  # a caption is no copy of a caption
    exam, lesson = golden_item("s2", same, Partition.SEALED), golden_item("t8", same)
    golden = MemoryGolden([*ROWS, replace(exam, content_hash="b1"), replace(lesson, content_hash="b2")])
    publish(golden, tmp_path / "golden", NOW)
    assert export(golden, "1.0.0", tmp_path / "good", pictures=pictures).rows == 4
    golden.rows.append(replace(golden_item("t9", "look at this"), content_hash="b3"))
    publish(golden, tmp_path / "golden", NOW)
    with pytest.raises(LeakError, match=r"t9 gives away s2 \(sealed, pictures that differ in at most 4 bits\)"):
        export(golden, "1.1.0", tmp_path / "out", pictures=pictures)


def test_an_old_version_does_not_leak_what_became_an_exam_since(golden: MemoryGolden, tmp_path: Path) -> None:
    golden.rows = [replace(ROWS[0], partition=Partition.SEALED), *ROWS[1:]]
    with pytest.raises(LeakError, match=r"t1 gives away t1 \(sealed, same item\)"):
        export(golden, "1.0.0", tmp_path / "out")


def test_erased_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    golden = MemoryGolden(list(ROWS))
    publish(golden, tmp_path / "golden", NOW)
    version, members = golden.published["1.0.0"]
    gone = [replace(m, text="", state=GoldState.ERASED) if m.item_id == "t1" else m for m in members]
    golden.published["1.0.0"] = (version, gone)
    assert export(golden, "1.0.0", tmp_path / "out").rows == 2
    assert "1 rows of the version were erased" in (tmp_path / "out/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_a_crash_half_way_leaves_nothing(
    golden: MemoryGolden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    before = sorted(tmp_path.iterdir())

    def full_disk(path: Path, batches: Iterator[list[GoldenItem]], version: str) -> None:
        next(batches)
        path.write_text(f"half a row of {version}", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export_module.WRITERS, form, full_disk)
    with pytest.raises(StoreError, match="No space left on device; nothing is left"):
        export(golden, "1.0.0", tmp_path / "out", form=form)
    assert sorted(tmp_path.iterdir()) == before


def test_rows_stream_in_batches_and_progress_is_told(tmp_path: Path) -> None:
    golden = MemoryGolden([golden_item(f"i{n:05}") for n in range(4500)])
    publish(golden, tmp_path / "golden", NOW)
    told: list[tuple[int, int]] = []
    export(golden, "1.0.0", tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told == [(2000, 4500), (4000, 4500), (4500, 4500)]
    assert pq.ParquetFile(tmp_path / "out/data/train.parquet").num_row_groups == 3


def test_from_labels_to_a_dataset_on_the_real_stores(desk: Desk, tmp_path: Path) -> None:
    contents = {f"i{n}": (f"words number {n}", n * 30.0) for n in range(12)}
    desk.ingest(contents)
    for n, item_id in enumerate(contents):
        desk.label(item_id, YES if n % 2 else NO)
    version = publish(desk.ledger.golden, tmp_path / "golden", NOW)
    there = [p for p in ("train", "dev", "calibration") if p in version.counts]
    done = export(desk.ledger.golden, "1.0.0", tmp_path / "out", partitions=there, vectors=desk.vectors())
    assert done.counts == {p: version.counts[p] for p in there}
    assert "0 rows have no embedding" in (tmp_path / "out/README.md").read_text(encoding="utf-8")
    loaded = _load(tmp_path / "out", tmp_path)
    for row in loaded[there[0]]:
        assert row["label"] == int(row["item_id"][1:]) % 2
