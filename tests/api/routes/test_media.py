from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from api.auth import Role
from api.server import build_app
from api.service import Service
from labeling.records import Round, RoundState, Task, TaskKind, TaskState
from tests.api.client import assert_problem, call
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import WordGoldfold, settings
from tests.scoring.pictures import encoded, noise

URL = "https://goldfold.example"


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Site]:
    """An installation with one image, whose links may be signed."""
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(noise(1)))
    given = settings(tmp_path / "data", media_dir=folder, media_link_secret="s" * 32, public_url=URL)
    with Service(given, WordGoldfold(given)) as service:
        site = give_keys(Site(build_app(service), service))
        rows = {"items": [{"external_id": "image-1", "media": "a.png"}, {"external_id": "post-1", "text": "words"}]}
        assert site.ask("POST", "/v1/items", json=rows).status_code == 201
        yield site


def links(gallery: Site) -> tuple[str, str]:
    item = gallery.get("/v1/items/image-1")
    return item["image"].removeprefix(URL), item["image_blurred"].removeprefix(URL)


def test_a_link_shows_the_image_without_a_key_and_lets_nothing_else_through(gallery: Site) -> None:
    clear, blurred = links(gallery)
    for path in (clear, blurred):
        answer = call(gallery.app, "GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert Image.open(BytesIO(answer.content)).format == "WEBP"
    assert call(gallery.app, "GET", clear).content != call(gallery.app, "GET", blurred).content


def test_a_forged_link_and_one_to_an_item_that_is_gone_open_nothing(gallery: Site) -> None:
    clear, _ = links(gallery)
    assert_problem(call(gallery.app, "GET", clear[:-4] + "AAAA"), 401, "ask for a new one")
    with gallery.goldfold.ledger.items._database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE items SET gone_at = '2026-01-01 00:00:00'")
    assert_problem(call(gallery.app, "GET", clear), 401, "ask for a new one")


def test_a_tasks_link_shows_what_was_picked_and_nothing_else(gallery: Site) -> None:
    goldfold, folder = gallery.goldfold, gallery.goldfold.settings.media_dir
    assert folder is not None
    links = goldfold.links
    assert links is not None
    task = ask(gallery)
    path = str(links.data(task)["image"]).removeprefix(URL)
    answer = call(gallery.app, "GET", path)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert task.item_id not in base64.urlsafe_b64decode(path.split(".")[1] + "==").decode()
    (folder / "a.png").write_bytes(encoded(noise(2)))
    assert_problem(call(gallery.app, "GET", path), 401, "not the one that was picked")
    (folder / "a.png").write_bytes(encoded(noise(1)))
    assert call(gallery.app, "GET", path).status_code == 200
    other = replace(links, base_url="https://elsewhere.example").data(task)["image"]
    assert_problem(call(gallery.app, "GET", str(other).removeprefix("https://elsewhere.example")), 401, "opens nothing")
    old = replace(links, clock=lambda: datetime.now(UTC) - 2 * links.lifetime).data(task)["image"]
    assert_problem(call(gallery.app, "GET", str(old).removeprefix(URL)), 401, "opens nothing")
    nobody = links.data(replace(task, task_id="unknown"))["image"]
    assert_problem(call(gallery.app, "GET", str(nobody).removeprefix(URL)), 401, "opens nothing")
    goldfold.ledger.tasks.set_state([task.task_id], TaskState.WITHDRAWN)
    assert_problem(call(gallery.app, "GET", path), 401, "opens nothing")


def ask(gallery: Site) -> Task:
    """A task about the image."""
    ledger, now = gallery.goldfold.ledger, datetime.now(UTC)
    item_id = ledger.items.known(["image-1"])["image-1"].item_id
    ledger.rounds.create(Round("r-1", RoundState.PLANNED, 7, {}, {}, "", (), now, now))
    picked = sha256(encoded(noise(1))).hexdigest()
    task = Task("t-1", TaskKind.BLIND, "r-1", item_id, "hate", "1.0.0", "", picked, 2, TaskState.QUEUED,
                None, None, None, "", now, now, modality="image")  # fmt: skip
    ledger.tasks.add([task])
    return task


def test_texts_have_no_link_and_nobody_has_one_without_a_secret(gallery: Site, site: Site) -> None:
    assert gallery.get("/v1/items/post-1")["image"] is None
    row = {"items": [{"external_id": "image-1", "media": "a.png"}]}
    assert site.ask("POST", "/v1/items", json=row).status_code == 201
    told = site.get("/v1/items/image-1", Role.ENGINEER)
    assert (told["image"], told["image_blurred"]) == (None, None)


def test_the_log_does_not_keep_what_opens_an_image(gallery: Site, capsys: pytest.CaptureFixture[str]) -> None:
    clear, _ = links(gallery)
    capsys.readouterr()
    call(gallery.app, "GET", clear)
    told = capsys.readouterr()
    assert clear.removeprefix("/media/") not in told.out + told.err
    assert "/media/..." in told.out + told.err
