"""What a database's error means for whoever sent the statement."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, InterfaceError

# lock wait timeout, deadlock, snapshot isolation (MariaDB >= 11.6.2); cut off by KILL QUERY or a statement timeout
MYSQL_BUSY = {1205, 1213, 1020, 1317, 3024, 1969}
MYSQL_DOWN = {
    *(2002, 2003, 2006, 2012, 2013, 2014, 2026, 2027, 2055),  # cannot connect, gone away, lost, broken in between
    *(4031, 1927),  # timed out idle, killed
    *(1053, 1077, 1079, 1047),  # shutting down, not ready (Galera)
    *(1040, 1203, 1226, 1037, 1041),  # too many connections, out of memory
    *(1021, 1026, 1030, 1114, 3675),  # disk full, in its many words
    *(1290, 1792, 1836, 3159),  # read-only
}
MYSQL_NO_TABLE = {1146, 1054}
SQLITE_BUSY = {5, 6}  # BUSY, LOCKED; the extended codes share the low byte
SQLITE_DOWN = {8, 10, 13, 14}  # READONLY, IOERR, FULL, CANTOPEN
# serialization failure, deadlock, lock not available, cut off by statement_timeout or pg_cancel_backend
PG_BUSY = {"40001", "40P01", "55P03", "57014"}
PG_NO_TABLE = {"42P01", "42703", "3F000"}
# connection exceptions, insufficient resources, operator intervention, system error, read-only
PG_DOWN = ("08", "53", "57P", "58", "25006")


class Trouble(enum.Enum):
    BUSY = "another transaction was in the way: send it again"
    DOWN = "the database cannot be worked with now: connect anew and send it again"
    NO_TABLE = "a table or column is missing: run migrate"
    OTHER = "no wait cures it"


def trouble(error: BaseException) -> Trouble:
    """Read the driver's own code from a Django database error."""
    cause = error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state:
        return _by_sqlstate(state)
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return _by_sqlite_code(code & 0xFF, str(cause))
    code = cause.args[0] if cause.args else None
    if isinstance(code, int):
        if code in MYSQL_BUSY:
            return Trouble.BUSY
        if code in MYSQL_DOWN:
            return Trouble.DOWN
        return Trouble.NO_TABLE if code in MYSQL_NO_TABLE else Trouble.OTHER
    return _by_text(error)


def _by_sqlstate(state: str) -> Trouble:
    if state in PG_BUSY:
        return Trouble.BUSY
    if state in PG_NO_TABLE:
        return Trouble.NO_TABLE
    return Trouble.DOWN if state.startswith(PG_DOWN) else Trouble.OTHER


def _by_sqlite_code(code: int, text: str) -> Trouble:
    if code in SQLITE_BUSY:
        return Trouble.BUSY
    if code in SQLITE_DOWN:
        return Trouble.DOWN
    return Trouble.NO_TABLE if "no such" in text else Trouble.OTHER


def _by_text(error: BaseException) -> Trouble:
    """Drivers that give no code: sqlite3 before Python 3.11, a connection that broke, one that was never made."""
    text = str(error).lower()
    if "is locked" in text:
        return Trouble.BUSY
    if "no such table" in text or "no such column" in text:
        return Trouble.NO_TABLE
    if isinstance(error, InterfaceError) or any(
        word in text
        for word in ("connect", "server closed", "closed unexpectedly", "unable to open", "disk", "readonly")
    ):
        return Trouble.DOWN
    return Trouble.OTHER


@contextmanager
def advised(session: Any) -> Iterator[None]:
    """Inside, an error of the database whose text does not explain it says what to do about it, too."""
    try:
        yield
    except Error as error:
        if more := _advice(error, in_transaction=session.in_transaction):
            raise type(error)(f"{error}: {more}") from error
        raise


def _advice(error: BaseException, *, in_transaction: bool) -> str | None:
    """What to do about an error that its text does not explain."""
    cause = error.__cause__ or error
    if in_transaction and type(cause).__module__ == "sqlite3" and trouble(error) is Trouble.BUSY:
        # At once, both where the other has committed (SQLITE_BUSY_SNAPSHOT) and where it waits for us to have read.
        return (
            "a transaction that has read cannot write once another one has written or is about to; set OPTIONS"
            " transaction_mode=IMMEDIATE, or claim or confirm() first, or claim outside of it"
        )
    return None
