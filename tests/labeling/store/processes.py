"""Other processes for the crash and concurrency tests: Python snippets that import Goldfold, in the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run ``code`` with ``sys.argv[1:]``; its output is piped."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed; fails with its complaint when it did not end well."""
    out, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    return out


def kill_after(process: subprocess.Popen[str], lines: int, seconds: float) -> None:
    """kill -9, ``seconds`` after it has printed so many lines."""
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline(), process.communicate()[1]
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
