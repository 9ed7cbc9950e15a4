"""The arrows between the rooms, and what each of them may not even import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "faiss", "fastapi", "dbos")


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "room", ["selection", "scoring", "labeling", "configs", "labeling.errors", "scoring.errors", "selection.errors"]
)
def test_importing_a_room_is_light(room: str) -> None:
    code = f"import sys, {room}; print(*[name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == []


def test_no_module_of_selection_imports_torch_but_those_around_modal() -> None:
    # modAL imports torch by itself; its wrappers are loaded by name, and only when one of its measures is asked for.
    paths = sorted(path for path in (ROOT / "selection").rglob("*.py") if not path.stem.startswith(("__", "modal_")))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    code = f"import sys, {', '.join(names)}; print('torch' in sys.modules, 'transformers' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == ["False", "False"]
