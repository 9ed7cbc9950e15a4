from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import media
from tests.scoring.tiny_images import write_classifier


def test_images_and_videos_are_measured_beside_their_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """In small, to see that both sides run on the same content; the figures mean nothing."""

    def write(folder: Path) -> None:
        write_classifier(folder, "vit")

    monkeypatch.setattr(media, "_write_vit", write)
    monkeypatch.setattr(media, "LABELS", {"gore": "violence"})
    monkeypatch.setattr(media, "PICTURES", 2)
    monkeypatch.setattr(media, "SECONDS", 1)
    rows = media.rows()
    assert tuple(row.name for row in rows) == media.NAMES
    assert all(row.ratio and row.peer for row in rows)
