"""Trained models, at most one of them champion."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.records import Model, ModelState
from labeling.store.database import Database, for_update, now
from labeling.store.rows import dump, insert_missing, load
from labeling.store.tables import models


class SqlModels:
    """``Models`` in SQL. Raises NotFound for an unknown id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, model: Model) -> None:
        with self._database.write() as connection:
            row = dump(model)
            row["created_at"] = model.created_at or now(connection)
            if insert_missing(connection, models, [row], models.c.model_id):
                return
            there = _find(connection, model.model_id)
            if there is None:
                raise Conflict(f"model {model.model_id!r}: there is a champion already; add it as a candidate")
            if there.version != model.version:
                raise Conflict(f"model {model.model_id!r} is there already with other weights; use another id")

    def get(self, model_id: str) -> Model:
        with self._database.read() as connection:
            return _get(connection, model_id)

    def all(self) -> list[Model]:
        """Oldest first."""
        query = sa.select(models).order_by(models.c.created_at, models.c.model_id)
        with self._database.read() as connection:
            return [load(Model, row) for row in connection.execute(query).mappings()]

    def champion(self) -> Model | None:
        query = sa.select(models).where(models.c.state == ModelState.CHAMPION.value)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else load(Model, row)

    def set_metrics(self, model_id: str, metrics: Mapping[str, object]) -> None:
        with self._database.write() as connection:
            row = for_update(connection, sa.select(models.c.metrics).where(models.c.model_id == model_id))
            connection.execute(row)
            _update(connection, model_id, {"metrics": {**_get(connection, model_id).metrics, **metrics}})

    def promote(self, model_id: str) -> None:
        """A no-op for the champion."""
        with self._database.write() as connection:
            champion = sa.select(models.c.model_id).where(models.c.state == ModelState.CHAMPION.value)
            before = connection.execute(for_update(connection, champion)).scalar_one_or_none()
            _get(connection, model_id)
            if before == model_id:
                return
            if before is not None:
                _update(connection, before, {"state": ModelState.ARCHIVED.value})
            _update(connection, model_id, {"state": ModelState.CHAMPION.value, "promoted_at": now(connection)})

    def set_state(self, model_id: str, state: ModelState) -> None:
        """``champion`` is the same as ``promote``."""
        if state is ModelState.CHAMPION:
            self.promote(model_id)
            return
        with self._database.write() as connection:
            _get(connection, model_id)
            _update(connection, model_id, {"state": state.value})


def _find(connection: sa.Connection, model_id: str) -> Model | None:
    row = connection.execute(sa.select(models).where(models.c.model_id == model_id)).mappings().one_or_none()
    return None if row is None else load(Model, row)


def _get(connection: sa.Connection, model_id: str) -> Model:
    model = _find(connection, model_id)
    if model is None:
        raise NotFound(f"no model has the id {model_id!r}")
    return model


def _update(connection: sa.Connection, model_id: str, values: Mapping[str, object]) -> None:
    connection.execute(sa.update(models).where(models.c.model_id == model_id).values(dict(values)))
