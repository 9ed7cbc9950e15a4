"""Run the benchmarks and keep their rows: ``python -m benchmarks.run [NAME]``.

A benchmark is a module of this package with ``NAMES`` (the rows it makes) and ``rows() -> list[Row]``.
``NAME`` is a module's or a row's; without it, all run. Rows are merged by name into build/bench.json.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

import benchmarks
from benchmarks.row import Row, hardware

RESULTS = Path("build/bench.json")
_NOT_BENCHMARKS = {"run", "row"}


@dataclass(frozen=True, slots=True)
class Bench:
    """One module: the rows it promises, and how to measure them."""

    module: str
    names: tuple[str, ...]
    rows: Callable[[], list[Row]]


def discover() -> list[Bench]:
    """Every benchmark, by module name. Raises ValueError when two promise the same row."""
    found: list[Bench] = []
    for info in pkgutil.iter_modules(benchmarks.__path__):
        if info.name in _NOT_BENCHMARKS or info.name.startswith("_"):
            continue
        module = importlib.import_module(f"benchmarks.{info.name}")
        if hasattr(module, "NAMES"):  # the others are helpers
            found.append(Bench(info.name, tuple(module.NAMES), module.rows))
    names = [name for bench in found for name in bench.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two benchmarks promise the rows {', '.join(twice)}")
    return found


def chosen(benches: Sequence[Bench], only: str | None) -> list[Bench]:
    """Those that ``only`` names, narrowed to the one row if it names a row. Raises ValueError naming what there is."""
    if not only:
        return list(benches)
    picked = [b if b.module == only else replace(b, names=(only,)) for b in benches if only in (b.module, *b.names)]
    if not picked:
        known = "; ".join(f"{b.module}: {', '.join(b.names)}" for b in benches)
        raise ValueError(f"no benchmark is called {only!r}; there are {known}")
    return picked


def measure(bench: Bench) -> list[Row]:
    """Its rows, with the hardware. Raises ValueError when a promised row is missing."""
    rows = [replace(row, hardware=row.hardware or hardware()) for row in bench.rows() if row.name in bench.names]
    missing = sorted(set(bench.names) - {row.name for row in rows})
    if missing:
        raise ValueError(f"benchmarks.{bench.module} made no row {', '.join(missing)}")
    return rows


def merge(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Put rows into the file in place of those of the same name; the file is whole at every moment."""
    kept = {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))} if path.exists() else {}
    kept |= {row.name: asdict(row) for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps([kept[name] for name in sorted(kept)], indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def table(rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    name = Column("name", no_wrap=True)
    shown = Table(name, "value", "unit", "peer", "peer's value", "ratio", "target")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
        shown.add_row(row.name, _number(row.value), row.unit, row.peer, _number(row.peer_value), ratio, row.target)
    return shown


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main(arguments: Sequence[str]) -> int:
    console, rows = Console(), list[Row]()
    try:
        benches = chosen(discover(), next(iter(arguments), None))
        for number, bench in enumerate(benches, 1):
            console.print(f"[{number}/{len(benches)}] {bench.module}: {', '.join(bench.names)}", markup=False)
            measured = measure(bench)
            merge(measured)  # after each, so that an interrupted run keeps what it has
            rows += measured
    except ValueError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    console.print(table(rows))
    console.print(f"on {hardware()}; written to {RESULTS}", markup=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
