from __future__ import annotations

from pathlib import Path

from configs import document
from configs.endpoint_files import EndpointFile
from configs.scorer_kinds import KINDS
from configs.settings import PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == document.page(), (
        "docs/configuration.md is stale: python -m configs.document > docs/configuration.md"
    )


def test_each_setting_is_listed_with_variable_default_and_meaning() -> None:
    page = document.page()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{name}` | `{PREFIX}{name.upper()}` | {document.default(field)} | {field.description} |" in page
    for kind, model in KINDS.items():
        assert f"### {kind}\n" in page
        for name, field in model.model_fields.items():
            assert field.description, f"{kind}: {name}"
            assert f"| `{name}` | {document.default(field)} | {field.description} |" in page


def test_each_key_of_an_endpoint_file_is_listed() -> None:
    page = document.page()
    for name, field in EndpointFile.model_fields.items():
        assert field.description, name
        assert f"| `{name}` | {document.default(field)} | {field.description} |" in page


def test_the_page_does_not_depend_on_the_machine() -> None:
    assert str(Path(__file__).parents[2]) not in document.page()
