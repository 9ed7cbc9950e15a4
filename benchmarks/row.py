"""One measured figure: what ``build/bench.json`` holds, row by row."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside its peer, both measured in one run.

    ``value`` and ``peer_value`` are in ``unit``; ``ratio`` = how many times better than the peer (above 1: better,
    whether more or less of the unit is good). ``peer`` is empty, and its figures None, where nothing fair compares.
    ``target`` says in words what is promised, such as ``>= 1.3x the peer`` or ``<= 60 s``; empty: nothing is.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    target: str = ""
    hardware: str = ""


@cache
def hardware() -> str:
    """What the figures were taken on: CPU model, usable cores, Python and torch versions."""
    return f"{_cpu()}, {_cores()} cores, Python {platform.python_version()}, torch {version('torch')}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    info = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
