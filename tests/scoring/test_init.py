from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = ("scoring", "scoring.base", "scoring.errors", "scoring.embeddings", "scoring.embedding_head", "scoring.head")


@pytest.mark.parametrize("module", [*LIGHT, "scoring.prototypes", "scoring.training"])
def test_importing_what_needs_no_network_does_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
