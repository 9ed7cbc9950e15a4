"""The golden version that figures name which rest on gold as it is now."""

from __future__ import annotations

from labeling.store.interfaces import Golden

UNPUBLISHED = "unpublished"  # there is none yet


def newest_name(golden: Golden) -> str:
    """The newest released version, or UNPUBLISHED."""
    versions = golden.versions()
    return versions[-1].version if versions else UNPUBLISHED
