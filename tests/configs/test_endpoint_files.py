from __future__ import annotations

from pathlib import Path

import pytest

from configs.endpoint_files import endpoint_path, read_endpoint
from configs.errors import SettingsError

GOOD = "url: https://host/v1/\nmodel: m\n"


def read(folder: Path, text: str) -> object:
    (folder / "gpt.yaml").write_text(text)
    return read_endpoint(folder / "gpt.yaml", ["a", "b"])


def test_nothing_may_be_sent_unless_the_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "gpt.yaml").write_text(GOOD)
    file = read_endpoint(tmp_path / "gpt.yaml", ["a", "b"])
    assert (file.allow_content, file.allow_sealed, file.private, file.key_env) == (False, False, False, None)
    assert (file.url, file.repeats, file.policies) == ("https://host/v1", 3, None)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("allow_content: 1", "allow_content"),
        ("allow_sealed: 'true'", "allow_sealed"),
        ("repeat: 3", "did you mean repeats"),
        ("repeats: 0", "repeats"),
        ("temperature: 3", "temperature"),
        ("answer_format: xml", "answer_format"),
        ("policies: [c]", r"policies: 'c' is no policy.* \(known: a, b\)"),
        ("policies: []", "policies"),
        ("deadline_s: 0", "deadline_s"),
        ("per_million_in: -1", "per_million_in"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(tmp_path, f"{GOOD}{more}\n")


@pytest.mark.parametrize("url", ["http://host/v1", "ftp://host", "https://user:pw@host/v1", "https://host/v1?key=pw"])
def test_an_address_that_would_give_something_away_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="url: ") as error:
        read(tmp_path, f"url: {url}\nmodel: m\n")
    assert "pw" not in str(error.value).replace("password", "")


def test_a_name_is_looked_for_in_the_folder_and_then_as_a_path(tmp_path: Path) -> None:
    (tmp_path / "gpt.yaml").write_text(GOOD)
    assert endpoint_path("gpt", tmp_path) == tmp_path / "gpt.yaml"
    assert endpoint_path(str(tmp_path / "gpt.yaml")) == tmp_path / "gpt.yaml"
    with pytest.raises(SettingsError, match=r"\.\./gpt: cannot be read"):
        endpoint_path("../gpt", tmp_path)
    with pytest.raises(SettingsError, match="judges_dir is not set"):
        endpoint_path("gpt")
