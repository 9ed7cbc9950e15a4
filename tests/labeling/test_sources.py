from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.readers import Row, column_map
from labeling.sources import Shard, list_shards, overlapping, ranges, read_shard, refuse_secret


def rows(count: int, first: int = 0) -> list[dict[str, object]]:
    return [{"external_id": f"post-{n}", "text": f"words of {n}"} for n in range(first, first + count)]


def jsonl(count: int, first: int = 0) -> str:
    return "\n".join(map(json.dumps, rows(count, first)))


def read(shards: list[Shard], columns: dict[str, str | None] | None = None) -> list[dict[str, object]]:
    """Every row of the shards, each of which must be readable."""
    found = [row for shard in shards for row in read_shard(shard, columns)]
    assert all(isinstance(row, Row) for row in found)
    return [row.values for row in found if isinstance(row, Row)]


@given(st.integers(0, 5000), st.integers(1, 700))
def test_ranges_cover_every_row_once_in_equal_parts(count: int, most: int) -> None:
    parts = ranges(count, most)
    assert [n for start, stop in parts for n in range(start, stop)] == list(range(count))
    sizes = [stop - start for start, stop in parts]
    assert len(parts) == -(-count // most)
    assert not sizes or (min(sizes) >= 1 and max(sizes) <= most and max(sizes) - min(sizes) <= 1)


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 60), st.integers(1, 30))
def test_overlapping_groups_are_those_that_hold_a_wanted_row(sizes: list[int], start: int, length: int) -> None:
    held = [(group, row) for row, group in enumerate(g for g, size in enumerate(sizes) for _ in range(size))]
    wanted = {group for group, row in held if start <= row < start + length}
    groups, first = overlapping(sizes, start, start + length)
    assert wanted == {group for group in groups if sizes[group]}
    if wanted:
        assert first == min(row for group, row in held if group in wanted)


@given(count=st.integers(1, 60), group=st.integers(1, 25), most=st.integers(1, 25))
def test_the_shards_of_a_parquet_file_hold_its_rows_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, count: int, group: int, most: int
) -> None:
    file = tmp_path_factory.mktemp("source") / "posts.parquet"
    pq.write_table(pa.Table.from_pylist(rows(count)), file, row_group_size=group)
    shards = list_shards(str(file), most)
    assert read(shards) == rows(count)
    assert sum(shard.rows or 0 for shard in shards) == count
    assert len({shard.key for shard in shards}) == len(shards)


def test_a_folder_is_listed_with_its_subfolders_and_without_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "_delta").mkdir()
    (tmp_path / "a.jsonl").write_text(jsonl(2))
    (tmp_path / "b" / "c.jsonl.gz").write_bytes(gzip.compress(jsonl(2, 2).encode()))
    (tmp_path / "d.csv").write_text("external_id,text\npost-4,words of 4\n")
    for name in ("_delta/x.jsonl", ".hidden.jsonl", "_SUCCESS", "notes.txt"):
        (tmp_path / name).write_text(jsonl(1, 99))
    shards = list_shards(str(tmp_path))
    assert [Path(shard.url).name for shard in shards] == ["a.jsonl", "c.jsonl.gz", "d.csv"]
    assert [shard.rows for shard in shards] == [None] * 3
    assert read(shards) == rows(5)


def test_a_lance_dataset_is_read_in_the_version_that_was_listed(tmp_path: Path) -> None:
    url = str(tmp_path / "items.lance")
    table = pa.Table.from_pylist(rows(10)).append_column("item_id", pa.array([f"it_{n}" for n in range(10)]))
    lance.write_dataset(table, url, max_rows_per_file=4)
    shards = list_shards(url, 4)
    lance.dataset(url).delete("external_id = 'post-3'")
    assert [shard.rows for shard in shards] == [3, 3, 4]
    assert read(shards) == rows(10)
    assert len(read(list_shards(url))) == 9


def test_columns_are_renamed_and_those_an_item_lacks_are_not_read(tmp_path: Path) -> None:
    table = pa.table({"id": ["1"], "body": ["words"], "embedding": [[1.0, 2.0]]})
    pq.write_table(table, tmp_path / "posts.parquet")
    shards = list_shards(str(tmp_path))
    assert read(shards, column_map(["external_id=id", "text=body"])) == [{"external_id": "1", "text": "words"}]


def test_a_file_that_changed_is_another_shard_and_is_not_read_as_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text(jsonl(2))
    (old,) = list_shards(str(file))
    os.utime(file, ns=(1, 1))
    (new,) = list_shards(str(file))
    assert old.key != new.key
    with pytest.raises(InvalidInput, match="changed while it was scored"):
        read([old])
    assert read([new]) == rows(2)


def test_a_shard_survives_json() -> None:
    shard = Shard("s3://bucket/posts.parquet", "12 bytes 34", 5, 9)
    assert Shard.from_json(shard.as_json()) == shard
    assert shard.name == "s3://bucket/posts.parquet rows 5 to 8"


@pytest.mark.parametrize("name", ["nowhere", "empty", "nowhere.lance", "gs:/bucket"])
def test_a_source_that_cannot_be_listed_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=name):
        list_shards(str(tmp_path / name))


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "s3:///"])
def test_a_url_that_no_store_has_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be listed"):
        list_shards(url)


@pytest.mark.parametrize("content", [b"PAR1 not really", b""])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "posts.parquet").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"posts.parquet|cannot be listed"):
        list_shards(str(tmp_path))
    (tmp_path / "posts.parquet").unlink()
    (tmp_path / "posts.jsonl.gz").write_bytes(b"not gzip")
    (shard,) = list_shards(str(tmp_path))
    with pytest.raises(InvalidInput, match=r"posts.jsonl.gz"):
        read([shard])


@pytest.mark.parametrize(
    "source", ["s3://KEY:hush@bucket/posts", "s3://KEY:hush@bucket/items.lance", "abfs://:hush@account/posts"]
)
def test_a_url_with_a_secret_is_refused_and_not_repeated(source: str) -> None:
    with pytest.raises(InvalidInput, match="source: is a URL with a password in it") as error:
        list_shards(source)
    assert "hush" not in str(error.value)
    refuse_secret("source", "abfs://container@account.test/posts")
    refuse_secret("source", "/data/a:b@c/posts")
