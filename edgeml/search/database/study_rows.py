"""Trials into Optuna's tables, many at a time: one transaction, a statement a table.

Optuna adds a trial with some hundred statements: 20 ms for one of 25 decisions, where this takes 0.3. The
rows are what Optuna itself writes (tests compare the two), by Optuna's own models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from sqlalchemy import Connection

Noted = set[tuple[str | None, int | None]]
"""Trainings that a study has: keys and rungs."""


def noted(connection: Connection, study: str) -> Noted:
    """Trainings that a study has, without reading its trials (1 ms each)."""
    from optuna.storages._rdb.models import TrialModel, TrialUserAttributeModel
    from sqlalchemy import select

    attribute = TrialUserAttributeModel
    rows = connection.execute(
        select(attribute.trial_id, attribute.key, attribute.value_json)
        .join(TrialModel, TrialModel.trial_id == attribute.trial_id)
        .where(TrialModel.study_id == _study_id(connection, study), attribute.key.in_(("key", "rung")))
    )
    found: dict[int, dict[str, Any]] = {}
    for trial, name, value in rows:
        found.setdefault(trial, {})[name] = json.loads(value)
    return {(one.get("key"), one.get("rung")) for one in found.values()}


def insert(connection: Connection, study: str, trials: Sequence[FrozenTrial]) -> None:
    """Add finished trials to a study, in order; the caller commits."""
    from optuna.storages._rdb.models import (
        StudyModel,
        TrialModel,
        TrialParamModel,
        TrialSystemAttributeModel,
        TrialUserAttributeModel,
        TrialValueModel,
    )
    from sqlalchemy import func, select, update

    own = _study_id(connection, study)
    name = StudyModel.study_name
    # Others who add trials wait from here on, as where Optuna does: numbers are counted.
    connection.execute(update(StudyModel).where(StudyModel.study_id == own).values(study_name=name))
    counted = select(func.count()).select_from(TrialModel).where(TrialModel.study_id == own)
    first = connection.execute(counted).scalar_one()
    ids = [
        _inserted(
            connection,
            TrialModel,
            {
                "number": first + place,
                "study_id": own,
                "state": trial.state,
                "datetime_start": _utc(trial.datetime_start),
                "datetime_complete": _utc(trial.datetime_complete),
            },
        )
        for place, trial in enumerate(trials)
    ]
    each = list(zip(ids, trials, strict=True))
    _insert(connection, TrialParamModel, (row for id, trial in each for row in _parameters(id, trial)))
    _insert(connection, TrialValueModel, (row for id, trial in each for row in _values(id, trial)))
    for model, attributes in (
        (TrialUserAttributeModel, "user_attrs"),
        (TrialSystemAttributeModel, "system_attrs"),
    ):
        rows = (
            {"trial_id": id, "key": key, "value_json": json.dumps(value)}
            for id, trial in each
            for key, value in getattr(trial, attributes).items()
        )
        _insert(connection, model, rows)


def _inserted(connection: Connection, model: Any, row: dict[str, Any]) -> int:
    key = connection.execute(model.__table__.insert(), row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _study_id(connection: Connection, study: str) -> int:
    from optuna.storages._rdb.models import StudyModel
    from sqlalchemy import select

    own = select(StudyModel.study_id).where(StudyModel.study_name == study)
    return int(connection.execute(own).scalar_one())


def _insert(connection: Connection, model: Any, rows: Iterable[dict[str, Any]]) -> None:
    if every := list(rows):
        connection.execute(model.__table__.insert(), every)


def _parameters(trial_id: int, trial: FrozenTrial) -> Iterable[dict[str, Any]]:
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        yield {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(value),
            "distribution_json": _as_json(distribution),
        }


@lru_cache(maxsize=1_000)
def _as_json(distribution: Any) -> str:
    from optuna.distributions import distribution_to_json

    return distribution_to_json(distribution)


def _values(trial_id: int, trial: FrozenTrial) -> Iterable[dict[str, Any]]:
    from optuna.storages._rdb.models import TrialValueModel

    for objective, value in enumerate(trial.values or ()):
        stored, kind = TrialValueModel.value_to_stored_repr(value)
        yield {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind}


def _utc(local: datetime | None) -> datetime | None:
    """As Optuna keeps times: UTC without saying so."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)
