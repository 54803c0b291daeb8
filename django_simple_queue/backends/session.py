"""A connection to one alias: either one of our own, or the calling thread's.

Our own is never touched by user code: a SET, an isolation level, an open transaction or a close there does not
reach the queue. The caller's is used where the caller's transaction is what counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.utils import load_backend
from django.utils.connection import ConnectionDoesNotExist

from ..backoff import pause
from ..conf import get_settings
from .dialects import Dialect, dialect_for
from .errors import Trouble, trouble

T = TypeVar("T")


class Session:
    """The calling thread's own Django connection to `alias`."""

    own = False  # ours to configure

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, wait: float = 10.0) -> None:
        self.alias = alias
        self.wait = wait  # seconds for which a busy database is asked again
        self.meanwhile: Callable[[], None] = lambda: None  # called before each pause of that wait
        try:
            self.connection = self._connect()
        except ConnectionDoesNotExist:
            known = ", ".join(sorted(connections))
            raise ValueError(f"There is no database {alias!r} in DATABASES; there is {known}.") from None
        self.dialect: Dialect = dialect_for(self.connection)

    def _connect(self) -> Any:
        return connections[self.alias]

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params or {})
            return list(cursor.fetchall())

    def write(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Send a statement; the number of rows that it changed."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params or {})
            return int(cursor.rowcount)

    @property
    def in_transaction(self) -> bool:
        """Somebody else's transaction is open, or they commit by hand: it is theirs to retry."""
        connection = self.connection
        by_itself = connection.autocommit if connection.connection else connection.settings_dict["AUTOCOMMIT"]
        return bool(connection.in_atomic_block or not by_itself)

    @property
    def in_callers_transaction(self) -> bool:
        """The same, but for the one around a Django TestCase."""
        blocks = self.connection.atomic_blocks
        return self.in_transaction and not (blocks and blocks[-1]._from_testcase)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that may read and then write: on SQLite it takes the write lock first."""
        if self.in_transaction:
            yield
            return
        self.connection.ensure_connection()
        if before := self.dialect.before_transaction():
            self.write(before)
        mode = getattr(self.connection, "transaction_mode", None)
        try:
            if mode is None and hasattr(self.connection, "transaction_mode"):
                self.connection.transaction_mode = "IMMEDIATE"
            with transaction.atomic(using=self.alias):
                yield
        finally:
            if hasattr(self.connection, "transaction_mode"):
                self.connection.transaction_mode = mode

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Inside, a database that is busy says so at once where it can, since `attempt` waits better than it does."""
        patient = None if self.in_transaction else self.dialect.be_patient()
        if patient is None or self.dialect.be_impatient is None:
            yield
            return
        self.write(self.dialect.be_impatient)
        try:
            yield
        finally:
            self.write(patient)

    @contextmanager
    def undoable(self) -> Iterator[None]:
        """A transaction, or a savepoint in the caller's, so that an exception undoes just this."""
        with transaction.atomic(using=self.alias) if self.in_transaction else self.transaction():
            yield

    def attempt(self, work: Callable[[], T]) -> T:
        """Do `work`; again with jitter while the database is busy, unless it is part of a caller's transaction.

        Only trouble after which nothing was written is retried here: a lost connection leaves that open.
        """
        deadline = time.monotonic() + self.wait
        tries = 0
        while True:
            try:
                return work()
            except Error as error:
                if self.in_transaction or trouble(error) is not Trouble.BUSY or time.monotonic() > deadline:
                    raise
                self.meanwhile()
                time.sleep(pause(tries))
                tries += 1

    def close(self) -> None:
        """Give the connection up; a caller's stays its own."""


class OwnSession(Session):
    """A connection that nobody else uses, in autocommit, READ COMMITTED where that can be said."""

    own = True

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, wait: float = 10.0, silence: float | None = None) -> None:
        """`silence`: seconds after which a server that does not answer counts as gone, where that can be said."""
        self.silence = silence or get_settings().lease_seconds / 2
        super().__init__(alias, wait=wait)

    def _connect(self) -> Any:
        given = connections[self.alias].settings_dict
        dialect = dialect_for(connections[self.alias])
        backend = load_backend(given["ENGINE"])
        connection = backend.DatabaseWrapper(dialect.own_settings(given, self.silence), self.alias)
        connection.inc_thread_sharing()  # a runner's threads share it, one at a time
        return connection

    _open = False
    _depth = 0  # of savepoints

    @property
    def in_transaction(self) -> bool:
        return self._open

    @contextmanager
    def impatient(self) -> Iterator[None]:
        yield  # it is always

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._open:
            yield
            return
        self.write(self.dialect.begin)
        self._open = True
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._open = False

    @contextmanager
    def undoable(self) -> Iterator[None]:
        if not self._open:
            with self.transaction():
                yield
            return
        self._depth += 1
        name = f"dsq{self._depth}"  # MySQL forgets one that is made again under its name
        try:
            self.write(f"SAVEPOINT {name}")
            try:
                yield
            except BaseException:
                self.write(f"ROLLBACK TO SAVEPOINT {name}")
                raise
            self.write(f"RELEASE SAVEPOINT {name}")
        finally:
            self._depth -= 1

    def _roll_back(self) -> None:
        try:
            self.write("ROLLBACK")
        except Error:
            self.connection.close()

    def close(self) -> None:
        self.connection.close()
