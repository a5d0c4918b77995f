"""The transactions of a shared study.

Each may be done twice: a lost connection does not say whether it was done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, delete, func, select, update

from edgeml.search.candidate import Candidate
from edgeml.search.shared import tables
from edgeml.search.shared.folders import Coordinator, Files

Result = TypeVar("Result")
ROWS = 200
"""Results read at once."""


@dataclass(frozen=True)
class Claim:
    """A training that somebody has."""

    key: str
    rung: int
    coordinator: str
    is_new: bool


@dataclass(frozen=True)
class Seen:
    """What the database says of a study.

    Attributes:
        architectures: that have a result.
        claims: trainings under way.
        coordinators: by id.
        results: rows from the asked serial on, in order.
    """

    architectures: int
    claims: list[Claim]
    coordinators: dict[str, Coordinator]
    results: list[Any]


@dataclass(frozen=True)
class Answer:
    """What came of asking for a training.

    Attributes:
        number: of the trial in the study, where it is ours.
        owner: who has it, or has done it.
        spent: the study's trials are used up.
    """

    number: int | None = None
    owner: str | None = None
    spent: bool = False


class Rows:
    """A study's rows, as one coordinator reads and writes them.

    Args:
        engine: of the database.
        study: its name.
        me: id of the coordinator.
    """

    def __init__(self, engine: Engine, study: str, me: str) -> None:
        self._engine, self._study, self._me = engine, study, me

    def set_up(self, agreed: dict[str, Any]) -> None:
        """Make tables and the study where they are missing, else compare what all must agree on."""
        with tables.setting_up(self._engine):
            tables.make(self._engine)
            with self._engine.begin() as connection:
                tables.agree(connection, self._study, agreed)

    def enter(self, me: Coordinator) -> int:
        """Enter a coordinator -> its place among the study's coordinators, from 0."""

        def entered(connection: Connection, row: Any) -> int:
            table = tables.coordinators
            mine = (table.c.study == self._study) & (table.c.id == me.id)
            place = connection.execute(select(table.c.place).where(mine)).scalar()
            if place is None:
                count = select(func.count()).select_from(table).where(table.c.study == self._study)
                place = connection.execute(count).scalar_one()
                values = {"id": me.id, "place": place, "host": me.host[:255], "path": me.path, "beats": 0}
                connection.execute(table.insert().values(study=self._study, stores=me.stores, **values))
            connection.execute(update(table).where(mine).values(stores=me.stores, beats=table.c.beats + 1))
            return int(place)

        return self._turn(entered)

    def give_back(self) -> None:
        """Give back what this coordinator has claimed."""
        self._turn(lambda connection, row: connection.execute(delete(tables.claims).where(*self._mine())))

    def beat(self) -> dict[str, int]:
        """Give a sign of life -> how many each coordinator has given."""
        table = tables.coordinators
        mine = (table.c.study == self._study) & (table.c.id == self._me)
        with self._engine.begin() as connection:
            connection.execute(update(table).where(mine).values(beats=table.c.beats + 1))
            rows = connection.execute(select(table.c.id, table.c.beats).where(table.c.study == self._study))
            return {row.id: row.beats for row in rows}

    def see(self, serial: int) -> Seen:
        """The study as it stands; of results at most ROWS, from a serial on.

        Claims are read before results: what is finished in between is in both rather than in neither.
        """
        there, table = tables.coordinators, tables.results
        with self._engine.connect() as connection:
            row = connection.execute(
                select(tables.studies).where(tables.studies.c.study == self._study)
            ).one()
            claims = self._claims(connection)
            of_study = connection.execute(select(there).where(there.c.study == self._study))
            owners = {one.id: Coordinator(one.id, one.host, one.path, one.stores) for one in of_study}
            newer = (table.c.study == self._study) & (table.c.serial >= serial)
            results = connection.execute(select(table).where(newer).order_by(table.c.serial).limit(ROWS))
            return Seen(row.architectures, claims, owners, list(results))

    def claim(self, key: str, rung: int, trials: int | None, silent: Collection[str]) -> Answer:
        """Ask for a training.

        Args:
            key: of the candidate.
            rung: it is to be trained on.
            trials: architectures of the whole study; None for no limit.
            silent: coordinators whose trainings may be taken over.
        """

        def claimed(connection: Connection, row: Any) -> Answer:
            table, results = tables.claims, tables.results
            of_key = select(results.c.number, results.c.rung, results.c.coordinator).where(
                results.c.study == self._study, results.c.key == key
            )
            done = {one.rung: one for one in connection.execute(of_key)}
            if rung in done:
                return Answer(owner=done[rung].coordinator)
            one = (table.c.study == self._study) & (table.c.key == key) & (table.c.rung == rung)
            there = connection.execute(select(table).where(one)).first()
            if there is not None:
                if there.coordinator != self._me and there.coordinator not in silent:
                    return Answer(owner=there.coordinator)
                connection.execute(update(table).where(one).values(coordinator=self._me))
                return Answer(int(there.number))
            number = next((int(result.number) for result in done.values()), int(row.numbers))
            if not done:
                if spent(trials, row.architectures, self._claims(connection), silent):
                    return Answer(spent=True)
                self._set(connection, numbers=number + 1)
            values = {"key": key, "rung": rung, "number": number, "coordinator": self._me, "is_new": not done}
            connection.execute(table.insert().values(study=self._study, **values))
            return Answer(number)

        return self._turn(claimed)

    def publish(self, candidate: Candidate, files: Files) -> None:
        """Enter a result, unless there is one, and end the claim."""

        def published(connection: Connection, row: Any) -> None:
            table, key, rung = tables.results, candidate.key, candidate.rung
            of_key = select(table.c.rung).where(table.c.study == self._study, table.c.key == key)
            rungs = {one.rung for one in connection.execute(of_key)}
            ended = (tables.claims.c.key == key, tables.claims.c.rung == rung)
            connection.execute(delete(tables.claims).where(*self._mine(), *ended))
            if rung in rungs:
                return
            values = {"key": key, "rung": rung, "serial": row.serials, "number": candidate.number}
            texts = {"candidate": json.dumps(candidate.to_dict()), "files": json.dumps(files)}
            connection.execute(
                table.insert().values(study=self._study, coordinator=self._me, **texts, **values)
            )
            self._set(connection, serials=row.serials + 1, architectures=row.architectures + (not rungs))

        self._turn(published)

    def number(self, candidate: Candidate) -> int:
        """The number of a candidate that was trained outside the study: its own where that is free."""

        def numbered(connection: Connection, row: Any) -> int:
            table = tables.results
            of_key = select(table.c.number).where(table.c.study == self._study, table.c.key == candidate.key)
            if (found := connection.execute(of_key).scalar()) is not None:
                return int(found)
            taken = [
                connection.execute(
                    select(one.c.key).where(
                        one.c.study == self._study,
                        one.c.number == candidate.number,
                        one.c.key != candidate.key,
                    )
                ).first()
                for one in (table, tables.claims)
            ]
            number = candidate.number if not any(taken) else int(row.numbers)
            if number >= row.numbers:
                self._set(connection, numbers=number + 1)
            return number

        return self._turn(numbered)

    def _turn(self, change: Callable[[Connection, Any], Result]) -> Result:
        with self._engine.begin() as connection:
            return change(connection, tables.take_turn(connection, self._study))

    def _mine(self) -> tuple[Any, Any]:
        return tables.claims.c.study == self._study, tables.claims.c.coordinator == self._me

    def _set(self, connection: Connection, **values: int) -> None:
        connection.execute(
            update(tables.studies).where(tables.studies.c.study == self._study).values(**values)
        )

    def _claims(self, connection: Connection) -> list[Claim]:
        rows = connection.execute(select(tables.claims).where(tables.claims.c.study == self._study))
        return [Claim(row.key, row.rung, row.coordinator, row.is_new) for row in rows]


def spent(trials: int | None, architectures: int, claims: Collection[Claim], silent: Collection[str]) -> bool:
    """Whether a study's trials are used up by what has a result and what is under way."""
    under_way = sum(claim.is_new and claim.coordinator not in silent for claim in claims)
    return trials is not None and architectures + under_way >= trials
