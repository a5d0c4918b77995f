"""What went wrong with a database: whether it passes by itself, and the sentence for it where it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COMES_BACK = ("starting up", "shutting down", "recovery mode", "too many clients", "too many connections")
"""What a server says that will let us in later."""
REFUSED_STATES = ("28", "3D", "42", "22", "0A")
"""Classes of SQLSTATE that no waiting mends: authorisation, no database, rights and names, values."""
REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "authentication failed",
    "access denied",
    "unknown database",
)
PASSES_IN_FILES = ("locked", "busy")
"""What SQLite says while another process writes; a full or failing disk does not pass."""


@dataclass(frozen=True)
class Fault:
    """A failure of a database.

    Attributes:
        reason: the driver's words, one line.
        sentence: for the user, where it is not waited for.
    """

    reason: str
    sentence: str


def describe(error: BaseException, shown: str, password: object, opening: bool) -> Fault | None:
    """An exception -> what it means; None where it does not come from a database.

    Args:
        error: as caught; Optuna wraps what SQLAlchemy raised.
        shown: the URL without its password.
        password: taken out of the driver's words, should it be there.
        opening: whether the database was just being opened.
    """
    if _wrong_schema(error):
        return Fault(
            "other schema",
            f"{shown}: the tables in this database were made by another version of Optuna; upgrade them "
            "(`optuna storage upgrade --storage URL`), update optuna, or name another database.",
        )
    if not _of_database(error):
        return None
    reason = _reason(error, password)
    return Fault(reason, _sentence(reason, _state(error), shown, opening))


def passing(error: BaseException, is_file: bool, opening: bool) -> bool:
    """Whether waiting may mend it."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

    if _wrong_schema(error):
        return False
    words = _reason(error, None).lower()
    if is_file:
        return any(word in words for word in PASSES_IN_FILES)
    state = _state(error)
    if any(word in words for word in COMES_BACK):
        return True
    if (state or "")[:2] in REFUSED_STATES or _refuses(words):
        return False
    lost = any(
        isinstance(one, OperationalError | InterfaceError | TimeoutError)
        or (isinstance(one, DBAPIError) and one.connection_invalidated)
        for one in _chain(error)
    )
    return lost and not (opening and state is None)


def _sentence(reason: str, state: str | None, shown: str, opening: bool) -> str:
    words, state = reason.lower(), state or ""
    cases = (
        (
            "database" in words and ("does not exist" in words or "unknown database" in words),
            "there is no such database on the server; create it (createdb NAME) or correct the URL.",
        ),
        (
            state.startswith("28") or _refuses(words),
            f"the server refuses this user or password ({reason}); correct the URL, or PGPASSWORD or "
            "~/.pgpass where the URL has none.",
        ),
        (
            state == "42501" or "permission denied" in words or "command denied" in words,
            f"this user may not make or change tables there ({reason}); have CREATE on the schema "
            "granted to it, or name another database.",
        ),
        (
            state in ("42P01", "42703") or "no such table" in words or "no such column" in words,
            f"the tables in this database are not those of this edgeml ({reason}); name another "
            "database, or use the edgeml that made them.",
        ),
        (
            shown.startswith("sqlite"),
            f"the study cannot be written ({reason}); make room or close what locks it, then go on "
            "with --resume (nothing finished is lost).",
        ),
        (opening and not state, f"the database cannot be reached ({reason}); start it or correct the URL."),
        (True, f"the database refuses ({reason}); see to it, then go on with --resume."),
    )
    return f"{shown}: {next(said for holds, said in cases if holds)}"


def _refuses(words: str) -> bool:
    return any(one in words for one in REFUSALS) or bool(
        re.search(r"(role|database|user) \S+ does not exist", words)
    )


def _reason(error: BaseException, password: object) -> str:
    """The driver's words: their first line, without what says only that a connection failed."""
    orig = next((e for one in _chain(error) if (e := getattr(one, "orig", None)) is not None), None)
    text = str(orig if orig is not None else error).strip()
    line = text.splitlines()[0] if text else type(orig or error).__name__
    line = re.sub(r"^connection failed: ", "", line)
    secret = str(password or "")
    return line.replace(secret, "***") if len(secret) > 2 else line


def _state(error: BaseException) -> str | None:
    """SQLSTATE, which connections that fail do not have."""
    for one in _chain(error):
        orig = getattr(one, "orig", None)
        for name in ("sqlstate", "pgcode"):
            if isinstance(state := getattr(orig, name, None), str):
                return state
    return None


def _of_database(error: BaseException) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return any(isinstance(one, SQLAlchemyError) for one in _chain(error))


def _wrong_schema(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and "table schema" in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__
