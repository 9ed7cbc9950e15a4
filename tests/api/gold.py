"""A site with gold in its partitions, made once and copied for each test that judges somebody by it."""

from __future__ import annotations

import shutil
from pathlib import Path

from configs.settings import Settings
from labeling.golden.publish import publish
from tests.api.site import HARM, NOW, WordGoldfold, gild, score_all, select, settings, stock

SHARES = {"train": 0.3, "dev": 0.3, "sealed": 0.4}
MARGINS = {str(severity): 0.25 for severity in range(5)}


def build_gilded(folder: Path) -> Path:
    """A data folder with a golden version of ``HARM``: 110 items, half of them violating."""
    goldfold = WordGoldfold(gold_settings(folder))
    stock(goldfold, 120)
    score_all(goldfold)
    select(goldfold, budget=110)
    gild(goldfold)
    publish(goldfold.ledger.golden, goldfold.golden_dir, NOW)
    goldfold.close()
    return folder


def gold_settings(folder: Path, **more: object) -> Settings:
    return settings(folder, partitions=SHARES, gate_margins=MARGINS, sealed_min_cell=13, device="cpu", **more)


def regilded(built: Path, folder: Path) -> WordGoldfold:
    """A copy of it in ``folder/data``, with an empty ``folder/judges`` for endpoint files."""
    shutil.copytree(built, folder / "data")
    (folder / "judges").mkdir()
    return WordGoldfold(gold_settings(folder / "data", judges_dir=folder / "judges"))


def endpoint_file(folder: Path, url: object, **more: object) -> None:
    """``gpt.yaml`` in the judges' folder; None leaves a key out."""
    given: dict[str, object] = {"url": url, "model": "m", "allow_content": "true", "private": "true"}
    lines = [f"{key}: {value}" for key, value in {**given, "policies": [HARM], **more}.items() if value is not None]
    (folder / "judges" / "gpt.yaml").write_text("\n".join(lines) + "\n")
