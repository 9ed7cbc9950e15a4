"""The trainer outside Goldfold in docs/training.md runs as it stands there, on an export and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from labeling.golden.export import export
from labeling.golden.publish import publish
from labeling.records import GoldenItem, Outcome, Partition
from tests.docs.test_documents import ROOT
from tests.labeling.golden.made import NOW, golden_item
from tests.labeling.golden.test_publish import MemoryGolden


def rows(partition: Partition, count: int) -> list[GoldenItem]:
    made = []
    for n in range(count):
        text = f"{'bad words hurt' if n % 2 else 'a lovely walk'} {partition}{n}"
        outcome = Outcome.VIOLATES if n % 2 else Outcome.ALLOWED
        made.append(golden_item(f"{partition}{n}", text, partition, outcome=outcome))
    return made


def test_fifteen_lines_train_on_an_export(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(code.strip().splitlines()) <= 15
    golden = MemoryGolden([*rows(Partition.TRAIN, 20), *rows(Partition.DEV, 8), *rows(Partition.SEALED, 4)])
    publish(golden, tmp_path / "versions", NOW)
    export(golden, "1.0.0", tmp_path / "golden", partitions=("train", "dev"))
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HF_HOME": str(tmp_path / "hub"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
    )
    assert found.stdout.split() == [golden.items()[0].policy_id, "8", "1.0"]
