"""Rows come out of every format the same, and what cannot be read is named."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import readers
from labeling.errors import InvalidInput
from labeling.items import Problem
from labeling.readers import Row, column_map, read_rows
from tests.realdata import real_set

ROWS: list[dict[str, object]] = [
    {"external_id": "a", "text": 'quotes "and", commas', "views": 3},
    {"external_id": "b", "text": "two\nlines, é \U0001f600"},
]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def jsonl(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def refused(path: Path, columns: dict[str, str | None] | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(read_rows(path, columns))
    assert str(path) in str(caught.value)
    return str(caught.value)


def problems(path: Path) -> list[str]:
    return [str(row) for row in read_rows(path) if isinstance(row, Problem)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "ROWS.JSONL"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_jsonl(tmp_path: Path, name: str, bom: bytes) -> None:
    path = write(tmp_path / name, bom + jsonl(*ROWS))
    assert list(read_rows(path)) == [Row(1, ROWS[0]), Row(2, ROWS[1])]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_csv(tmp_path: Path, name: str, bom: bytes) -> None:
    data = (
        'external_id,text,views\r\na,"quotes ""and"", commas",3\r\nb,"two\nlines, é \U0001f600",\r\nc,x,\r\n'.encode()
    )
    path = write(tmp_path / name, bom + data)
    expected = [Row(2, {**ROWS[0], "views": "3"}), Row(3, ROWS[1]), Row(5, {"external_id": "c", "text": "x"})]
    assert list(read_rows(path)) == expected


def test_parquet(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    table = pa.table(
        {
            "external_id": ["a", "b"],
            "text": pa.array(["x", "y"]).dictionary_encode(),
            "views": [3, None],
            "created_at": pa.array([moment, None], pa.timestamp("us", tz="UTC")),
            "policies": [["spam"], []],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    assert list(read_rows(tmp_path / "rows.parquet")) == [
        Row(1, {"external_id": "a", "text": "x", "views": 3, "created_at": moment, "policies": ["spam"]}),
        Row(2, {"external_id": "b", "text": "y", "policies": []}),
    ]


def test_columns_are_renamed_and_dropped_in_every_format(tmp_path: Path) -> None:
    columns = column_map(["text=body"], ["label"])
    row = {"external_id": "a", "body": "x", "label": "1"}
    pq.write_table(pa.table({name: [value] for name, value in row.items()}), tmp_path / "r.parquet")
    paths = [
        write(tmp_path / "r.jsonl", jsonl(row)),
        write(tmp_path / "r.csv", b"external_id,body,label\na,x,1\n"),
        tmp_path / "r.parquet",
    ]
    for path in paths:
        assert [made.values for made in read_rows(path, columns) if isinstance(made, Row)] == [
            {"external_id": "a", "text": "x"}
        ]


@pytest.mark.parametrize("pair", ["text", "text=", "body=text", "=x", "text=label"])
def test_a_bad_mapping_is_named(pair: str) -> None:
    with pytest.raises(InvalidInput, match="map: "):
        column_map([pair], ["label"])
    with pytest.raises(InvalidInput, match="twice"):
        column_map(["text=a", "text=b"])


def test_a_name_mapped_onto_a_column_that_is_there_is_refused(tmp_path: Path) -> None:
    columns = column_map(["text=body"])
    path = write(tmp_path / "r.csv", b"external_id,text,body\na,b,c\n")
    assert "header: column 'text' comes twice" in refused(path, columns)
    [found] = read_rows(write(tmp_path / "r.jsonl", jsonl({"text": "a", "body": "b"})), columns)
    assert "column 'text' comes twice" in str(found)


def test_a_nul_byte_in_a_line_is_called_by_its_name(tmp_path: Path) -> None:
    data = jsonl(ROWS[0]) + b'{"text": "a\x00"}\n{"text": "a\x01"}\n'
    assert problems(write(tmp_path / "r.jsonl", data)) == [
        "row 2: holds a NUL byte; remove it",
        "row 3: is not a JSON row: Invalid control character at column 12",
    ]


def test_bad_json_lines_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    good = jsonl(ROWS[0])
    data = good + b"{oops}\n\n" + b'["a"]\n' + b'{"text": "a", "text": "b"}\n' + b"[" * 100_000 + b"\n" + good
    path = write(tmp_path / "r.jsonl", data)
    told = problems(path)
    assert [line.split(":")[0] for line in told] == ["row 2", "row 4", "row 5", "row 6"]
    assert "is not a JSON row: Expecting property name" in told[0]
    assert "found list" in told[1]
    assert "key 'text' comes twice" in told[2]
    assert [row.number for row in read_rows(path) if isinstance(row, Row)] == [1, 7]


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_invalid_utf8_in_jsonl_names_line_and_byte(tmp_path: Path, name: str) -> None:
    first = jsonl(ROWS[0])
    path = write(tmp_path / name, first + b'{"text": "\xff"}\n')
    assert problems(path) == [
        f"row 2: is not valid UTF-8 at byte {len(first) + 10} of the file's text; save the file as UTF-8"
    ]


def test_invalid_utf8_in_csv_names_line_and_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", b"external_id,text\na,caf\xe9\n")
    assert "row 2: is not valid UTF-8 at byte 22" in refused(path)


def test_invalid_utf8_in_parquet_names_the_row(tmp_path: Path) -> None:
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"], pa.binary()).buffers())
    pq.write_table(pa.table({"external_id": ["a", "b"], "text": text}), tmp_path / "r.parquet")
    [told] = problems(tmp_path / "r.parquet")
    assert told.startswith("row 2: cannot be read: 'utf-8' codec can't decode byte 0xff")


def test_a_csv_row_of_another_width_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", b"external_id,text\na,b\n\nc,d,e\nf\ng,h\n")
    assert problems(path) == [
        "row 4: has 3 cells where the header has 2; quote commas",
        "row 5: has 1 cells where the header has 2; quote commas",
    ]
    assert [row.number for row in read_rows(path) if isinstance(row, Row)] == [2, 6]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("r.txt", b"x", "cannot tell its format; the name must end in .jsonl"),
        ("r.jsonl", b"", "holds no rows"),
        ("r.jsonl", b"\n \n", "holds no rows"),
        ("r.csv", b"", "is empty; the first line must name the columns"),
        ("r.csv", b"external_id,text\n", "holds no rows"),
        ("r.csv", b"text,text\na,b\n", "header: column 'text' comes twice"),
        ("r.csv", b'external_id,text\na,"never closed\n', "row 2: is not CSV: unexpected end of data"),
        ("r.csv", b'external_id,text\na,"x"y\n', "row 2: is not CSV: ',' expected after '\"'"),
        ("r.csv", b"external_id,text\na," + b"x" * 200_000, "use JSONL or Parquet for texts over 131072 characters"),
        ("r.csv", b"external_id,text\ra,b\r", "row 1: is not CSV: new-line character"),
        ("r.parquet", b"external_id,text", "cannot be read as Parquet"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    assert says in refused(write(tmp_path / name, data))


def test_a_broken_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(jsonl(*ROWS) * 1000)
    for data in (whole[: len(whole) // 2], b"plain text", whole[:-8] + bytes(8)):
        path = tmp_path / "r.jsonl.gz"
        path.write_bytes(data)
        assert "is not a whole gzip file" in refused(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "none.jsonl")
    assert "cannot be read" in refused(tmp_path / "none.parquet")
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in refused(tmp_path / "folder.csv")


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_LINE_BYTES", 1000)
    assert "row 1: is longer than 1000 bytes" in refused(write(tmp_path / "r.jsonl", b"x" * 5000))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), min_size=1, max_size=8))
def test_any_text_survives_jsonl_csv_and_parquet(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("formats")
    with (folder / "r.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([["text"], *([text] for text in texts)])
    write(folder / "r.jsonl", jsonl(*({"text": text} for text in texts)))
    pq.write_table(pa.table({"text": texts}), folder / "r.parquet")
    for name in ("r.csv", "r.jsonl", "r.parquet"):
        assert [row.values["text"] for row in read_rows(folder / name) if isinstance(row, Row)] == texts


@pytest.mark.parametrize(
    ("name", "count"),
    [("tweets", 24_783), ("hatecheck", 3_728), ("moderation", 1_680), ("toldbr", 21_000)],
)
def test_the_real_sets_are_read_whole(name: str, count: int) -> None:
    assert sum(isinstance(row, Row) for row in read_rows(real_set(f"{name}.jsonl.gz"))) == count
