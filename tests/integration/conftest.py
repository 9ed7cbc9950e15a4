"""The session's Label Studio, for the tests of the whole loop."""

from tests.studio_server import annotators, studio_server

__all__ = ["annotators", "studio_server"]
