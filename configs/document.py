"""Writes docs/configuration.md from the settings themselves: ``python -m configs.document > docs/configuration.md``."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from configs.scorers import ScorerFile
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
- Units are in the names: `_s` seconds, `_ms` milliseconds, `_bytes`, `_tokens`, `_chars`.

| setting | environment | default | meaning |
| --- | --- | --- | --- |
"""

SCORER_HEAD = """
## The scorer file

`scorer` is `embedding-head`, or the path of a YAML file that says which transformers text-classification model
scores, and which of its labels means which policy. Models are read from safetensors files only.

| key | default | meaning |
| --- | --- | --- |
"""

SCORER_EXAMPLE = """
```yaml
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


def page() -> str:
    """The whole of docs/configuration.md."""
    settings = "\n".join(rows(Settings, PREFIX))
    return f"{HEAD}{settings}\n{SCORER_HEAD}{chr(10).join(rows(ScorerFile))}\n{SCORER_EXAMPLE}"


if __name__ == "__main__":
    sys.stdout.write(page())
