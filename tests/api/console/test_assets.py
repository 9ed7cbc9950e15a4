from __future__ import annotations

import gzip
import re

import pytest
from plotly.offline import get_plotlyjs

from api.console.assets import address, asset
from labeling.errors import NotFound
from tests.api.client import call
from tests.api.console.conftest import HTML, Console


def test_a_file_is_served_for_ever_under_its_hash(bare: Console) -> None:
    answer = call(bare.app, "GET", address("console.js"), headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.content == asset("console.js").plain
    assert answer.headers["cache-control"].startswith("public, max-age=31536000")
    assert call(bare.app, "GET", "/console/static/0000000000000000/console.js", headers=HTML).status_code == 404


def test_plotly_comes_out_of_its_package_packed() -> None:
    found = asset("plotly.min.js")
    assert found.plain.decode() == get_plotlyjs()
    assert gzip.decompress(found.packed) == found.plain
    assert len(found.packed) < len(found.plain) / 3


@pytest.mark.parametrize("name", ["../app.py", "base.html", "", "nothing.css", "__init__.py"])
def test_nothing_else_is_served(name: str) -> None:
    with pytest.raises(NotFound):
        asset(name)


def test_our_own_files_ask_nobody_else() -> None:
    for name in ("console.css", "console.js", "icon.svg"):
        text = asset(name).plain.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert "@import" not in text
        assert not re.search(r"\beval\(|new Function|innerHTML\s*\+=", text)
