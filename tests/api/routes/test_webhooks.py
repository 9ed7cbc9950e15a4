from __future__ import annotations

import pytest
from pydantic import SecretStr

from labeling.studio.webhooks import SECRET_HEADER
from tests.api.client import assert_problem, call
from tests.api.routes.conftest import Site

PATH = "/v1/webhooks/label-studio"


@pytest.fixture
def hints(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the sweep was called."""
    heard: list[int] = []
    monkeypatch.setattr(site.service.sweep, "hint", lambda: heard.append(1))
    return heard


def test_the_right_secret_is_heard_whatever_the_body_says(site: Site, hints: list[int]) -> None:
    for content in (b"", b'{"action": "ANNOTATION_CREATED"}', b"\xff"):
        response = call(site.app, "POST", PATH, headers={SECRET_HEADER: "hush"}, content=content)
        assert (response.status_code, response.json()) == (202, {"status": "heard"})
    assert len(hints) == 3


@pytest.mark.parametrize("given", [None, "", "hus", "hush ", "HUSH", "h\u00fcsh"])
def test_a_wrong_secret_is_refused(site: Site, hints: list[int], given: str | None) -> None:
    headers = {} if given is None else {SECRET_HEADER: given.encode("latin-1") + b"."}
    assert_problem(call(site.app, "POST", PATH, headers=headers), 401, SECRET_HEADER)
    assert hints == []


def test_no_api_key_opens_it(site: Site, hints: list[int]) -> None:
    for key in site.keys.values():
        assert_problem(call(site.app, "POST", PATH, key=key), 401)
    assert hints == []


def test_without_a_secret_it_is_closed(site: Site, hints: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    unset = site.service.settings.model_copy(update={"studio_webhook_secret": SecretStr("")})
    monkeypatch.setattr(site.service, "settings", unset)
    for given in (b"", b"hush"):
        assert_problem(call(site.app, "POST", PATH, headers={SECRET_HEADER: given}), 401)
    assert hints == []
