"""The command line in this process, on an installation of the test's own; models are replaced by the word encoder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from api import lazy_scorers
from api.cli.main import main
from configs.settings import Settings
from labeling.policies import Policies
from scoring.embedding_head import EmbeddingHead
from scoring.head import Head
from tests.api.site import WordEncoder, WordGoldfold, prototypes, settings


class WordModels:
    """What ``api.scorers`` offers, without weights."""

    def build_encoder(self, _settings: Settings) -> WordEncoder:
        return WordEncoder()

    def build_prototypes(self, _encoder: object, policies: Policies) -> Head:
        return prototypes(policies)

    def build_head_scorer(self, encoder: WordEncoder, head: Head) -> EmbeddingHead:
        return EmbeddingHead(encoder, head)

    def describe_device(self, name: str) -> str:
        return name

    def describe_model(self, _settings: Settings, _policies: object) -> str:
        return "words"


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


@dataclass
class Terminal:
    """Runs commands on one installation."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Said:
        self.capture.readouterr()
        code = main(["--data-dir", str(self.folder), *arguments])
        said = self.capture.readouterr()
        return Said(code, said.out, said.err)

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file beside the data; its path."""
        path = self.folder.parent / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    @contextmanager
    def opened(self) -> Iterator[WordGoldfold]:
        """The installation itself, to prepare or look at it."""
        goldfold = WordGoldfold(settings(self.folder))
        yield goldfold
        goldfold.close()


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    """Commands set up logging for their process, on a standard error that is only this test's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("dbos").handlers.clear()
    structlog.reset_defaults()


@pytest.fixture
def goldfold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, _logs_as_before: None
) -> Terminal:
    """The command ``goldfold``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDFOLD_EXECUTOR_ID", "test")
    monkeypatch.setattr(lazy_scorers, "models", WordModels)
    return Terminal(tmp_path / "data", capsys)
