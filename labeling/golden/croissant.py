"""Croissant metadata of an export: what a machine that never heard of Goldfold needs to find, check and read it.

A JSON-LD document in the vocabulary of MLCommons (Croissant 1.1, with its responsible-AI terms). Files are named
relative to it, with their hashes; each partition is a record set whose fields are the export's columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labeling.golden.enclosures import BYTES, FILES, FOLDER, NONE
from labeling.golden.features import Column, columns_of
from labeling.records import GoldenVersion

FILE = "croissant.json"
ENCODINGS = {"parquet": "application/x-parquet", "jsonl": "application/jsonlines", "csv": "text/csv"}
_TYPES = {"string": "sc:Text", "int32": "cr:Int32", "float64": "cr:Float64", "label": "cr:Int64", "votes": "sc:Text"}
_VOTES = (("answer", "sc:Text"), ("people", "cr:Int32"))
_TERMS = (
    *("arrayShape", "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty"),
    *("fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path"),
    *("recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
    "transform",
)
_VOCABULARY: dict[str, object] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the export: its path in the folder, and its SHA-256 (hex) and size in bytes."""

    path: str
    sha256: str
    size: int


def croissant(
    version: GoldenVersion,
    form: str,
    files: Mapping[str, DataFile],
    holes: str,
    kinds: Mapping[str, int],
    media: str = NONE,
) -> dict[str, object]:
    """The document of an export in ``form``, one of ``ENCODINGS``. ``files``: by partition; ``holes``: what the data
    does not cover, in Markdown, as the dataset card says it; ``kinds``: rows by modality; ``media``: what became of
    images' media. The same export gives the same document."""
    counted = ", ".join(f"{rows} of {modality}" for modality, rows in kinds.items())
    return {
        "@context": _VOCABULARY,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": f"goldfold-golden-set-{version.version}",
        "description": (
            f"Golden set {version.version}: content judged under safety policies by people who did not see each "
            f"other's answers, with their votes. Rows by modality: {counted}. Merkle root of the whole version: "
            f"{version.merkle_root}. README.md "
            "beside this file says which figures it may be used for."
        ),
        "version": version.version,
        "datePublished": version.created_at.date().isoformat(),
        "isLiveDataset": False,
        "rai:dataAnnotationProtocol": (
            "Each item is answered blind: no score, no lane and no other answer is shown. Where people differ, a lead "
            "who gave none of the answers decides; column votes keeps what they had said."
        ),
        "rai:dataLimitations": holes,
        "distribution": [_file(split, form, file) for split, file in files.items()] + _media(kinds, media),
        "recordSet": [_records(split, form, columns_of(images=media == BYTES)) for split in files],
    }


def _media(kinds: Mapping[str, int], media: str) -> list[dict[str, object]]:
    """The images that lie beside the rows."""
    if media != FILES or "image" not in kinds:
        return []
    about = "The images, each under the SHA-256 of its bytes; the field media of a row names one."
    names = {"@type": "cr:FileSet", "@id": FOLDER, "name": FOLDER, "description": about}
    return [{**names, "encodingFormat": "image/*", "includes": f"{FOLDER}/*/*"}]


def _file(split: str, form: str, file: DataFile) -> dict[str, object]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{split}-file",
        "name": file.path.rsplit("/", 1)[-1],
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": ENCODINGS[form],
        "sha256": file.sha256,
    }


def _records(split: str, form: str, columns: Sequence[Column]) -> dict[str, object]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"The rows of partition {split}.",
        "field": [_field(split, form, column) for column in columns],
    }


def _field(split: str, form: str, column: Column) -> dict[str, object]:
    field = _named(f"{split}/{column.name}", column.name, column.meaning)
    if column.kind == "votes" and form != "csv":
        parts = [
            _named(f"{split}/{column.name}/{name}", name, f"{column.meaning}: {name}")
            | {"dataType": kind, "source": _source(split, column.name) | {"transform": {"jsonPath": f"$[*].{name}"}}}
            for name, kind in _VOTES
        ]
        return field | {"isArray": True, "arrayShape": "-1", "subField": parts}
    if column.kind == "image":
        source = _source(split, column.name) | {"transform": {"jsonPath": "bytes"}}
        return field | {"dataType": "sc:ImageObject", "source": source}
    return field | {"dataType": _TYPES[column.kind], "source": _source(split, column.name)}


def _named(at: str, name: str, meaning: str) -> dict[str, object]:
    return {"@type": "cr:Field", "@id": at, "name": name, "description": meaning}


def _source(split: str, column: str) -> dict[str, object]:
    return {"fileObject": {"@id": f"{split}-file"}, "extract": {"column": column}}
