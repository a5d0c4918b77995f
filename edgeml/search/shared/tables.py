"""What coordinators of one study tell each other through its database, beside Optuna's own tables.

edgeml_studies       one row a study: what all coordinators must agree on, and counters; writing it first
                     makes transactions of a study follow one another
edgeml_coordinators  who works on it; `beats` grows every few seconds while one lives
edgeml_claims        trainings that are under way
edgeml_results       trainings that are done, in the order of `serial`
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from edgeml.errors import RunError

LAYOUT = 1
"""Of these tables."""
NAME_LENGTH = 200
"""Of a study's name; MySQL's indices allow no much longer ones."""
METADATA = MetaData()
LONG = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")

studies = Table(
    "edgeml_studies",
    METADATA,
    Column("study", String(NAME_LENGTH), primary_key=True),
    Column("layout", Integer, nullable=False),
    Column("agreed", LONG, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("numbers", Integer, nullable=False),
    Column("architectures", Integer, nullable=False),
    Column("serials", Integer, nullable=False),
)
coordinators = Table(
    "edgeml_coordinators",
    METADATA,
    Column("study", String(NAME_LENGTH), primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("host", String(255), nullable=False),
    Column("path", LONG, nullable=False),
    Column("stores", Boolean, nullable=False),
    Column("beats", Integer, nullable=False),
    Column("began", DateTime, server_default=func.now()),
)
claims = Table(
    "edgeml_claims",
    METADATA,
    Column("study", String(NAME_LENGTH), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("rung", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("coordinator", String(32), nullable=False),
    Column("is_new", Boolean, nullable=False),
    Column("began", DateTime, server_default=func.now()),
)
results = Table(
    "edgeml_results",
    METADATA,
    Column("study", String(NAME_LENGTH), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("rung", Integer, primary_key=True, autoincrement=False),
    Column("serial", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("coordinator", String(32), nullable=False),
    Column("candidate", LONG, nullable=False),
    Column("files", LONG, nullable=False),
    Column("at", DateTime, server_default=func.now()),
    Index("edgeml_results_serial", "study", "serial"),
)


@contextlib.contextmanager
def setting_up(engine: Engine) -> Iterator[None]:
    """Let one coordinator at a time make tables: "if not exists" is no protection on PostgreSQL."""
    name = engine.dialect.name
    with engine.connect() as connection:
        if name == "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(6464646)"))
        elif name in ("mysql", "mariadb"):
            connection.execute(text("SELECT GET_LOCK('edgeml', 60)"))
        connection.commit()
        try:
            yield
        finally:
            if name == "postgresql":
                connection.execute(text("SELECT pg_advisory_unlock(6464646)"))
            elif name in ("mysql", "mariadb"):
                connection.execute(text("SELECT RELEASE_LOCK('edgeml')"))
            connection.commit()


def make(engine: Engine) -> None:
    """Make the tables where they are missing."""
    METADATA.create_all(engine)


def agree(connection: Connection, study: str, agreed: dict[str, Any]) -> None:
    """Enter a study, or make sure that the one there is the same.

    Args:
        connection: in a transaction.
        study: its name.
        agreed: what has to be equal, by its name for the user.

    Raises:
        RunError: names the first thing that differs.
    """
    wanted = json.loads(json.dumps(agreed))
    row = connection.execute(select(studies).where(studies.c.study == study)).first()
    if row is None:
        connection.execute(
            studies.insert().values(
                study=study,
                layout=LAYOUT,
                agreed=json.dumps(wanted),
                turns=0,
                numbers=0,
                architectures=0,
                serials=0,
            )
        )
        return
    if row.layout != LAYOUT:
        raise RunError(
            f"study {study!r} was begun by another edgeml (layout {row.layout} of its tables, this one reads "
            f"{LAYOUT}); use that edgeml, or another --study."
        )
    there = json.loads(row.agreed)
    for name in {**there, **wanted}:
        if there.get(name) != wanted.get(name):
            raise RunError(
                f"study {study!r}: {name} is {short(there.get(name))} there and {short(wanted.get(name))} "
                "here; use the same, or another --study."
            )


def take_turn(connection: Connection, study: str) -> Any:
    """Wait until no other transaction of this study is under way -> the study's row.

    It has to be a transaction's first statement: SQLite then takes its write lock, servers that of the row.
    """
    mine = studies.c.study == study
    connection.execute(update(studies).where(mine).values(turns=studies.c.turns + 1))
    return connection.execute(select(studies).where(mine)).one()


def short(value: Any) -> str:
    """A value in few characters."""
    said = json.dumps(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
