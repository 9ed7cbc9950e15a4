"""Rows become items, or every problem is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.items import COLUMNS, MAX_VIEWS, build_item, item_id_of, parse_row
from labeling.records import Item

POLICIES = ("spam", "violence")
GOOD: dict[str, object] = {"external_id": "a-1", "text": "Olá, mundo"}


def build(**changes: object) -> Item:
    return build_item({**GOOD, **changes}, 7, 100, POLICIES)


def problem(**changes: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        build(**changes)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_a_small_row_gets_the_defaults() -> None:
    item = build()
    assert item == Item(
        item_id=item_id_of("a-1"),
        external_id="a-1",
        text="Olá, mundo",
        content_hash=sha256("Olá, mundo".encode()).hexdigest(),
    )


def test_a_full_row_keeps_every_field() -> None:
    item = build(
        modality="text",
        language="PT-br",
        market="BR",
        surface="chat",
        author="acc-7",
        views="12",
        created_at="2026-01-31T12:00:00+03:00",
        policies="violence; spam;violence",
    )
    assert (item.language, item.market, item.surface, item.author, item.views) == ("pt-BR", "BR", "chat", "acc-7", 12)
    assert item.created_at == datetime(2026, 1, 31, 9, tzinfo=UTC)
    assert item.policies == ("violence", "spam")


def test_the_id_depends_on_the_external_id_alone() -> None:
    assert build(text="other").item_id == build().item_id == "it_" + sha256(b"a-1").hexdigest()[:20]
    assert build(external_id="a-2").item_id != build().item_id
    assert build(external_id=42).external_id == "42"


def test_text_is_kept_as_it_came() -> None:
    assert build(text="  two\r\nlines \U0001f600\t").text == "  two\r\nlines \U0001f600\t"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"external_id": None}, "row 7: external_id: is missing"),
        ({"external_id": " "}, "external_id: is empty"),
        ({"external_id": True}, "external_id: expected text, found bool"),
        ({"external_id": "a\nb"}, "external_id: holds a control character"),
        ({"external_id": "x" * 513}, "external_id: is 513 characters long"),
        ({"text": None}, "text: is missing"),
        ({"text": " \n\t"}, "text: is empty"),
        ({"text": 5}, "text: expected text, found int"),
        ({"text": b"raw"}, "text: expected text, found bytes"),
        ({"text": "a\x00b"}, "text: holds a NUL byte"),
        ({"text": "a\ud800b"}, "text: holds half of a surrogate pair"),
        ({"text": "x" * 101}, "text: is 101 characters long, over the setting max_text_chars = 100"),
        ({"modality": "audio"}, "modality: 'audio' is unknown; write one of text, image, video"),
        ({"modality": "video"}, "media: is missing; an item that is video needs it"),
        ({"modality": "text", "media": "a.jpg"}, "modality: is 'text', but there is media"),
        ({"media": "a.bin"}, "modality: cannot be told from media"),
        ({"media": "data:image/png;base64,AAAA"}, "modality: cannot be told from media"),
        ({"media": "https://a.test/x?name=a.jpg"}, "modality: cannot be told from media"),
        ({"media": "http://[a.test/x.jpg"}, "modality: cannot be told from media"),
        ({"media": "http://a\u2100b/x.jpg"}, "modality: cannot be told from media"),
        ({"media": " "}, "media: is empty"),
        ({"media": "a\nb.jpg"}, "media: holds a control character"),
        ({"media": 7}, "media: expected text, found int"),
        ({"media": "s3://bucket/a.jpg"}, "media: is of a kind that is not read"),
        ({"media": "file:///etc/a.jpg"}, "media: is of a kind that is not read"),
        ({"media": "x" * 2049}, "media: is 2049 characters long; at most 2048 are kept"),
        ({"media": "data:," + "x" * 4_000_000}, "media: is 4000006 characters long"),
        ({"media": "a.jpg", "text": "x" * 101}, "text: is 101 characters long"),
        ({"language": "pt_BR"}, "language: 'pt_BR' is no language tag"),
        ({"language": "english"}, "language: 'english' is no language tag"),
        ({"market": "x" * 513}, "market: is 513 characters long"),
        ({"surface": ["chat"]}, "surface: expected text, found list"),
        ({"views": -1}, "views: -1 is no count"),
        ({"views": 1.5}, "views: 1.5 is no count"),
        ({"views": float("nan")}, "views: nan is no count"),
        ({"views": "many"}, "views: 'many' is no count"),
        ({"views": True}, "views: True is no count"),
        ({"views": MAX_VIEWS + 1}, "is no count"),
        ({"created_at": "yesterday"}, "created_at: 'yesterday' is no time; write ISO 8601 with a zone"),
        ({"created_at": "2026-01-31T12:00:00"}, "created_at: 2026-01-31T12:00:00 has no time zone"),
        ({"created_at": "0001-01-01T00:00:00+05:00"}, "created_at: 0001-01-01T00:00:00+05:00 is outside the calendar"),
        ({"created_at": 1738324800}, "created_at: expected text, found int"),
        ({"policies": "spam;voilence"}, "policies: unknown policy 'voilence'; did you mean 'violence'?"),
        ({"policies": "weather"}, "policies: unknown policy 'weather' (known: spam, violence)"),
        ({"policies": [1]}, "policies: expected a list of policy ids"),
        ({"policies": {"spam": 1}}, "policies: expected a list of policy ids"),
        ({"langauge": "en"}, "row 7: 'langauge': unknown column; did you mean 'language'?"),
        ({"label": 1}, "'label': unknown column (known: external_id, text,"),
    ],
)
def test_each_bad_field_is_named_with_its_cure(changes: dict[str, object], says: str) -> None:
    assert says in problem(**changes)


def test_all_problems_of_a_row_come_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        build(text="", views=-1, colour="red")
    assert [line.split(":")[1].strip() for line in caught.value.problems] == ["'colour'", "text", "views"]


def test_none_counts_as_absent() -> None:
    assert build(**{name: None for name in COLUMNS if name not in GOOD}) == build()


@pytest.mark.parametrize(("given_views", "kept"), [(0, 0), (3.0, 3), (" 12 ", 12), (MAX_VIEWS, MAX_VIEWS)])
def test_whole_numbers_are_counts(given_views: object, kept: int) -> None:
    assert build(views=given_views).views == kept


def test_times_come_out_in_utc() -> None:
    zone = timezone(timedelta(hours=-3))
    made = build(created_at=datetime(2026, 1, 31, 23, tzinfo=zone)).created_at
    assert made == datetime(2026, 2, 1, 2, tzinfo=UTC)
    assert type(made) is datetime
    assert made.tzinfo is UTC


_ODD = st.text(st.characters(categories=["Cs", "Cc", "L"]), max_size=9)
_PLAIN = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.binary(max_size=5), st.datetimes())
_VALUES = st.one_of(_PLAIN, _ODD, st.text(max_size=30), st.lists(st.text(max_size=5), max_size=3))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(COLUMNS) | _ODD, _VALUES))
def test_any_row_is_an_item_or_problems_and_never_a_crash(row: dict[str, object]) -> None:
    made = parse_row(row, 1, 20, POLICIES)
    if isinstance(made, Item):
        assert made.item_id == item_id_of(made.external_id)
        assert made.text.strip()
        assert len(made.text) <= 20
        assert made.views >= 0
        assert set(made.policies) <= set(POLICIES)
    else:
        assert made
        assert all(str(found).startswith("row 1: ") for found in made)
        assert all(str(found).encode() for found in made)  # a message never breaks the terminal it is printed on


@pytest.mark.parametrize(
    ("media", "given_modality", "kept"),
    [
        ("a/b.JPG", None, "image"),
        ("https://cdn.test/a.webp?size=1#x", None, "image"),
        ("clip.mp4", None, "video"),
        ("HTTP://cdn.test/clip.webm", None, "video"),
        ("clip.gif", "video", "video"),
        ("https://cdn.test/7", "image", "image"),
        ("data:image/png;base64,AAAA", "image", "image"),
    ],
)
def test_media_is_what_it_is_said_to_be_or_what_its_name_ends_in(
    media: str, given_modality: str | None, kept: str
) -> None:
    for text in (None, "", " "):
        made = build(text=text, media=media, modality=given_modality)
        assert (made.modality, made.media, made.text) == (kept, media, "")
    assert build(media=media, modality=given_modality, text="a caption").text == "a caption"


def test_the_content_of_media_is_where_it_is_and_what_is_said_of_it() -> None:
    hashes = {
        build(text=text, media=media, modality=kind).content_hash
        for text in (None, "a caption")
        for media in ("a.jpg", "b.jpg")
        for kind in ("image", "video")
    }
    assert len(hashes) == 8
    assert build(text=None, media="a.jpg").content_hash == build(text="", media="a.jpg", modality="image").content_hash
    assert build(text="a.jpg").content_hash == sha256(b"a.jpg").hexdigest()
