"""A training that is killed by SIGKILL, and gone on with by another process, ends as one without a break."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scoring.finetune import finetune
from tests.scoring.lessons import POLICIES, fast, files_of, made_base, made_lessons

SCRIPT = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from scoring.finetune import finetune
from tests.scoring.lessons import POLICIES, fast, made_lessons

def watch(done, total, figures):
    print(done, flush=True)

found = finetune(Path(sys.argv[1]), POLICIES, made_lessons(), made_lessons(24, 1), fast(), Path(sys.argv[2]), watch)
print(json.dumps(found.dev), flush=True)
"""


def start(base: Path, work: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
    arguments = [sys.executable, "-c", SCRIPT, str(base), str(work)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_killed_and_gone_on_it_has_the_same_weights_and_figures(tmp_path: Path) -> None:
    base = made_base(tmp_path / "base")
    whole = finetune(base, POLICIES, made_lessons(), made_lessons(24, 1), fast(), tmp_path / "whole")
    work = tmp_path / "killed"
    seen = []
    with start(base, work) as process:
        assert process.stdout is not None
        for line in process.stdout:  # a step, or a judgement, each
            seen.append(int(line))
            if seen[-1] == whole.dev[1][0] + 1:  # one step after the second checkpoint
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait(60) == -signal.SIGKILL
    assert not (work / "model").exists()
    with start(base, work) as process:
        assert process.stdout is not None
        *steps, figures = process.stdout.read().splitlines()
        assert process.wait(60) == 0
    assert int(steps[0]) == whole.dev[1][0] + 1  # from the checkpoint on, and not from the start
    assert files_of(work / "model") == files_of(whole.folder)
    assert [(step, told) for step, told in json.loads(figures)] == [tuple(row) for row in whole.dev]
