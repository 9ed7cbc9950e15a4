"""Writes docs/configuration.md from the settings themselves: ``python -m configs.document > docs/configuration.md``."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from configs.scorer_files import packaged_scorers
from configs.scorer_kinds import KINDS
from configs.settings import CONFIG_VARIABLE, DEFAULT_FILE, PREFIX, Settings

HEAD = f"""# Configuration

Each setting may come from a YAML file, from the environment or from a flag. A later one wins:
default < file < environment < flag. The file is the one that `--config` names, else the one that `{CONFIG_VARIABLE}`
names, else `./{DEFAULT_FILE}` if it is there. A key nobody knows, in the file or as a `{PREFIX}*` variable, is an
error that names the nearest known one.

- Mappings (`lanes`, `partitions`) are replaced whole, never merged; in the environment they are JSON.
- An empty variable counts as not set; `none` in the environment means no value where a setting allows that.
- Relative paths are relative to the working directory.
- Secrets and passwords in database addresses are masked wherever settings are printed.
- Units are in the names: `_s` seconds, `_bytes`, `_tokens`, `_chars`.

| setting | environment | default | meaning |
| --- | --- | --- | --- |
"""

SCORER_HEAD = f"""
## The scorer file

`scorer` is the name of a packaged scorer file ({", ".join(f"`{name}`" for name in packaged_scorers())}) or the path
of one. It is YAML, and its `kind` says which keys it has. Models are read from safetensors files only, and never run
code of their own; a model of the hub is pinned to a commit. Where the hub cannot be reached, fetch the model elsewhere
(`hf download NAME --revision COMMIT --local-dir FOLDER`) and name the folder. `goldfold doctor` loads the model and
says what it found.

`scorer` takes a file whose kind reads texts. `opennsfw`, `hf-image` and `image-text` read images, `video` reads videos.
"""

SCORER_EXAMPLE = """
```yaml
kind: hf-text
model: ./models/toxicity        # a folder beside this file, or a hub id together with revision
labels: {hate: hate_speech, threat: violence}
activation: sigmoid
```
"""


def default(field: FieldInfo) -> str:
    """A field's default as people read it; ``(required)`` when it has none."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "shown" in extra:
        return str(extra["shown"])
    value: Any = field.default
    if value is PydanticUndefined:
        return "(required)"
    if isinstance(value, SecretStr) or value == "":
        return "(empty)"
    if isinstance(value, (bool, dict)):
        return f"`{json.dumps(value)}`"
    return "none" if value is None else f"`{value}`"


def rows(model: type[BaseModel], prefix: str | None = None) -> list[str]:
    """One table row a field; with ``prefix`` the name of its environment variable too."""
    lines = []
    for name, field in model.model_fields.items():
        cells = [f"`{name}`", default(field), field.description or ""]
        if prefix is not None:
            cells.insert(1, f"`{prefix}{name.upper()}`")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def kinds() -> str:
    """One table for each kind of scorer file."""
    return "\n".join(
        f"\n### {name}\n\n{' '.join((model.__doc__ or '').split())}\n\n"
        f"| key | default | meaning |\n| --- | --- | --- |\n{chr(10).join(rows(model))}"
        for name, model in KINDS.items()
    )


def page() -> str:
    """The whole of docs/configuration.md."""
    settings = "\n".join(rows(Settings, PREFIX))
    return f"{HEAD}{settings}\n{SCORER_HEAD}{SCORER_EXAMPLE}{kinds()}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
