"""What the routes and the command line share about versions that two people release, and about golden exports."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from labeling.errors import InvalidInput
from labeling.golden.enclosures import NONE, Enclosing, places_in
from labeling.media_links import MediaLink, sign
from labeling.studio.links import FIELDS, PATH

if TYPE_CHECKING:
    from api.composition import Goldfold


def known_author(name: str, leads: Collection[str]) -> str:
    """Who publishes, approves or rejects from the command line, where two people must: an address, casefolded, of a
    lead where the setting names them. Raises InvalidInput."""
    who = name.strip().casefold()
    if not who:
        raise InvalidInput("by: two people release a version, so say who you are (--by ana@example.org)")
    if leads and who not in {lead.strip().casefold() for lead in leads}:
        raise InvalidInput(f"by: {name!r} is not among the setting leads; only they release versions")
    return who


def enclosing(goldfold: Goldfold, how: str = NONE, licence: str = "") -> Enclosing:
    """What an export does with the media of images; the reader is opened when the first one is read."""
    return Enclosing(how, places_in(goldfold.lake), lambda media: goldfold.media.read(media), _links(goldfold), licence)


def _links(goldfold: Goldfold) -> Callable[[str], dict[str, object]] | None:
    """Signed links to items' images, which live as long as those of tasks; None where nothing signs them."""
    settings, secret = goldfold.settings, goldfold.settings.media_link_secret.get_secret_value()
    if not secret:
        return None
    until = datetime.now(UTC) + timedelta(hours=settings.task_link_hours)

    def links(item_id: str) -> dict[str, object]:
        tokens = {field: sign(MediaLink(item_id, blurred, until), secret) for field, blurred in FIELDS.items()}
        return {field: f"{settings.public_url}{PATH}{token}" for field, token in tokens.items()}

    return links
