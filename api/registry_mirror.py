"""The registry's mirror in MLflow, as the settings name it."""

from __future__ import annotations

from api.composition import Goldfold
from labeling.errors import NothingToDo
from labeling.mirror.mlflow import Mlflow
from labeling.mirror.run import Behind, Mirrored, behind, mirror


def mirror_behind(goldfold: Goldfold) -> list[Behind]:
    """The models whose mirror in MLflow is out of date; none without a mirror."""
    url = goldfold.settings.mlflow_url
    return [] if url is None else behind(goldfold.ledger, url)


def mirror_registry(goldfold: Goldfold) -> Mirrored:
    """Bring the mirror up to date; a server that is away is told in the answer. Raises NothingToDo without the setting
    mlflow_url."""
    url, token = goldfold.settings.mlflow_url, goldfold.settings.mlflow_token.get_secret_value()
    if url is None:
        raise NothingToDo("mlflow_url is not set, so there is no mirror: set it to the address of an MLflow server")
    return mirror(goldfold.ledger, url, lambda: Mlflow(url, token))
