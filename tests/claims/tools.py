"""Rivals, other aliases, what was sent, and what the database has."""

from __future__ import annotations

import copy
import datetime
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import Model
from django.db.utils import load_backend

T = TypeVar("T")
PATIENCE = 30  # seconds that nobody should ever need
A_WHILE = 0.3  # seconds after which somebody who has not come back is taken to wait

# Options of a connection that does not wait for others.
IMPATIENT: dict[str, dict[str, Any]] = {
    "postgresql": {"options": "-c lock_timeout=100ms"},
    "mysql": {"init_command": "SET SESSION innodb_lock_wait_timeout = 1"},
    "sqlite": {"timeout": 0.01},
}


class Rival:
    """A thread with a connection of its own, which does one thing after the other."""

    def __init__(self) -> None:
        self.pool = futures.ThreadPoolExecutor(1)
        self.leave = threading.Event()

    def start(self, work: Callable[[], T]) -> futures.Future[T]:
        return self.pool.submit(work)

    def does(self, work: Callable[[], T]) -> T:
        return self.start(work).result(PATIENCE)

    @contextmanager
    def holding(self, work: Callable[[], T], roll_back: bool = False) -> Iterator[T]:
        """Does `work` in a transaction that is open until `leave` is set or the block is left."""
        self.leave.clear()
        done = futures.Future[T]()

        def hold() -> None:
            with transaction.atomic():
                try:
                    done.set_result(work())
                except BaseException as error:
                    done.set_exception(error)
                    raise
                self.leave.wait(PATIENCE)
                transaction.set_rollback(roll_back)

        held = self.start(hold)
        try:
            yield done.result(PATIENCE)
        finally:
            self.leave.set()
            held.result(PATIENCE)

    def close(self) -> None:
        self.pool.submit(connections.close_all).result(PATIENCE)
        self.pool.shutdown()


def waits(future: futures.Future[Any], patience: float = A_WHILE) -> bool:
    """Whether it has not come to its end within `patience` seconds."""
    return not futures.wait([future], patience).done


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)


@contextmanager
def another_alias(name: str = "second", **given: Any) -> Iterator[str]:
    """Another alias of the same database, for this thread; its settings are the first one's and these."""
    own = copy.deepcopy(connections["default"].settings_dict)
    own.update(given, OPTIONS={**own["OPTIONS"], **given.get("OPTIONS", {})})
    connections[name] = connection = load_backend(own["ENGINE"]).DatabaseWrapper(own, name)
    try:
        yield name
    finally:
        connection.close()
        del connections[name]


def repeatable_read() -> Any:
    """What OPTIONS calls it."""
    if connections["default"].vendor != "postgresql":
        return "repeatable read"
    from django.db.backends.postgresql.psycopg_any import IsolationLevel

    return IsolationLevel.REPEATABLE_READ  # another number with each driver


@contextmanager
def statements(*aliases: str, also: Callable[[str], None] | None = None) -> Iterator[list[str]]:
    """What is sent by this thread, in order; `also` is called behind each statement."""
    sent: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql.strip())
        result = execute(sql, *rest)
        if also is not None:
            also(sql)
        return result

    with ExitStack() as stack:
        for alias in aliases or ("default",):
            connections[alias].ensure_connection()
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield sent


def reads_and_writes(sent: Iterable[str]) -> list[str]:
    """The first words of statements that read or write tables."""
    words = [sql.split()[0] for sql in sent]
    return [word for word in words if word in ("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")]


def loaded(instance: Model) -> dict[str, Any]:
    """Its fields that are not deferred."""
    names = [field.attname for field in instance._meta.concrete_fields]
    return {name: instance.__dict__[name] for name in names if name in instance.__dict__}


def assert_as_stored(instances: Iterable[Model]) -> None:
    """They are what the database has, value by value and type by type."""
    for instance in instances:
        fresh = type(instance)._base_manager.using(instance._state.db).get(pk=instance.pk)
        shown = loaded(instance)
        stored = {name: getattr(fresh, name) for name in shown}
        assert shown == stored
        assert {name: _exactly(value) for name, value in shown.items()} == {
            name: _exactly(value) for name, value in stored.items()
        }
        assert not instance._state.adding


def _exactly(value: Any) -> Any:
    """1, True and 1.00 are equal; which time zone a time is told in does not matter."""
    return (type(value), value.timestamp()) if isinstance(value, datetime.datetime) else repr(value)
