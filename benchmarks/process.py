"""Measuring in a process of its own: CPU and wall time of a call, and the peak memory above what was there before."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path


def in_own_process(measure: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
    """What ``measure`` (a module's function) returns in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU s and wall s of a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def forget_peak() -> None:
    """Start this process's memory high-water mark anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mib() -> float:
    """The memory high-water mark of this process, MiB. Raises OSError where the system does not tell."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise OSError("the peak memory of a process is read from /proc/self/status, which lacks VmHWM here")
    return int(found.group(1)) / 1024
