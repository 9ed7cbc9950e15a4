"""What the routes and the command line share about versions that two people release, golden ones and policies'."""

from __future__ import annotations

from collections.abc import Collection

from labeling.errors import InvalidInput


def known_author(name: str, leads: Collection[str]) -> str:
    """Who publishes, approves or rejects from the command line, where two people must: an address, casefolded, of a
    lead where the setting names them. Raises InvalidInput."""
    who = name.strip().casefold()
    if not who:
        raise InvalidInput("by: two people release a version, so say who you are (--by ana@example.org)")
    if leads and who not in {lead.strip().casefold() for lead in leads}:
        raise InvalidInput(f"by: {name!r} is not among the setting leads; only they release versions")
    return who
