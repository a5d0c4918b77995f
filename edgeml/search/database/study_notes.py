"""Optuna's study of a search, in a database: one trial a training, for readers such as optuna-dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeml.search.database.database import Database, prepare
from edgeml.search.database.study_rows import Noted, insert, noted

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study as OptunaStudy
    from optuna.trial import FrozenTrial


class StudyNotes:
    """A study that trials are added to; the database is waited for while it is away.

    Args:
        database: where it is.
        name: of the study.
        at_once: others share it, and read what is not noted as not done: nothing waits to be written.
    """

    def __init__(self, database: Database, name: str, at_once: bool = False) -> None:
        self._database, self._name, self.at_once = database, name, at_once
        self._study: OptunaStudy | None = None

    def open(self, axes: int) -> Noted:
        """Make the study or open it -> trainings (key, rung) that it has.

        Raises:
            StorageError: the database cannot be used.
        """
        import optuna

        storage = self._database(self._storage, opening=True)
        self._study = self._database(
            lambda: optuna.create_study(
                storage=storage,
                study_name=self._name,
                directions=["minimize"] * axes,
                load_if_exists=True,
            )
        )
        return self._database(self._noted)

    def add_all(self, trials: Sequence[FrozenTrial]) -> None:
        """Add trials in one transaction, once: a lost connection does not say at first whether it was done.

        Raises:
            StorageError: the database cannot be used.
        """
        tried = False

        def added() -> None:
            nonlocal tried
            if tried and any(one.user_attrs == trials[-1].user_attrs for one in self._trials()):
                return
            tried = True
            with self._database.engine.begin() as connection:
                insert(connection, self._name, trials)

        self._database(added)

    def _noted(self) -> Noted:
        with self._database.engine.connect() as connection:
            return noted(connection, self._name)

    def close(self) -> None:
        """Close its connections."""
        self._database.close()

    def _trials(self) -> Sequence[FrozenTrial]:
        assert self._study is not None
        return self._study.get_trials(deepcopy=False)

    def _storage(self) -> RDBStorage:
        import optuna
        from sqlalchemy import NullPool, event

        from edgeml.search.shared.tables import setting_up

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        url = self._database.url.render_as_string(hide_password=False)
        with setting_up(self._database.engine):  # the first connection also turns on SQLite's log
            storage = optuna.storages.RDBStorage(
                url.replace("{", "{{").replace("}", "}}"),  # Optuna formats it
                # Trials are added seldom, and a connection of its own each does not go stale meanwhile.
                engine_kwargs={**self._database.options, "poolclass": NullPool},
            )
        event.listen(storage.engine, "connect", prepare)
        return storage
