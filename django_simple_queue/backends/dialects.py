"""What differs between databases in a word or two: their clock, their row lists, how a connection of ours is set up.

The base class is standard SQL and right everywhere; a subclass says only what its database does otherwise.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone

from ..conf import get_settings

Params = dict[str, Any]
CHANNEL = "django_simple_queue"  # on which PostgreSQL tells idle workers of new tasks


class Dialect:
    begin = "BEGIN"
    one_writer = False  # whether a transaction that writes keeps all others from writing
    # Sent before a claim on a caller's connection: the database is to say at once that it is busy, and we wait.
    be_impatient: str | None = None
    # How long a statement may wait for a row lock, set for one transaction; None: cannot be said.
    lock_timeout: str | None = None

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.quote = connection.ops.quote_name

    def now(self) -> str:
        """SQL for the database's clock, in the form in which Django stores a DateTimeField there."""
        return "CURRENT_TIMESTAMP"

    def utc_now(self) -> str:
        """SQL for a clock that no summer time sets, for times that only the database compares."""
        return self.now()

    def after(self, seconds: str) -> str:
        """SQL for now plus `seconds`, which is SQL for a number."""
        return f"({self.now()} + {seconds} * INTERVAL '1' SECOND)"

    def later(self, now: Any, delta: datetime.timedelta) -> Any:
        """A time `delta` after the stored time `now`, to be stored; both as the driver gives and takes them."""
        return str(datetime.datetime.fromisoformat(now) + delta) if isinstance(now, str) else now + delta

    def ids_by_time(self) -> bool:
        """Whether the ids of new rows are to begin with the time: those of the same time share pages then."""
        return True

    def to_seconds(self, value: Any) -> float | None:
        """A stored time as a number; only differences of two of them mean anything."""
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        if value is None:
            return None
        return float((value.replace(tzinfo=None) - datetime.datetime(1970, 1, 1)).total_seconds())

    def among(self, column: str, ids: Sequence[Any], params: Params) -> str:
        """SQL for "column is one of ids"; their values are put into `params`."""
        names = [f"id{i}" for i in range(len(ids))]
        params.update(zip(names, ids, strict=True))
        return f"{column} IN ({', '.join(f'%({name})s' for name in names)})"

    def limit(self, rows: int) -> str:
        return str(self.connection.ops.limit_offset_sql(0, rows))

    def index_hint(self, index: str | None) -> str:
        return ""

    def read_after_conflict(self) -> str:
        """Locking clause for reading a row that an ignored insert ran into."""
        return ""

    def largest_statement(self) -> int | None:
        """Bytes of the largest statement that the server takes; None: any that we send."""
        return None

    def be_patient(self) -> str | None:
        """What will take `be_impatient` back."""
        return None

    def before_transaction(self) -> str | None:
        """Sent on a caller's open connection before its transaction, for that one only."""
        return None

    def wake(self, workers: str, idle: str) -> str | None:
        """SQL that tells idle workers of a new task, if the table `workers` has a row with `idle`. None: they look.

        Its parameter `queue` is where the task is; empty: anywhere.
        """
        return None

    def own_settings(self, given: Mapping[str, Any], silence: float) -> dict[str, Any]:
        """The settings of a connection of our own, from those of the alias; what the project set there stays.

        `silence`: seconds after which a server that does not answer counts as gone, where that can be said.
        """
        own = copy.deepcopy(dict(given))
        own.update(AUTOCOMMIT=True, ATOMIC_REQUESTS=False)
        own.setdefault("OPTIONS", {})
        return own

    def _offset_from_utc(self) -> float:
        """Seconds by which stored times are ahead of UTC: 0 but for USE_TZ=False or a TIME_ZONE of the alias."""
        zone = self.connection.timezone if settings.USE_TZ else timezone.get_default_timezone()
        offset = datetime.datetime.now(zone).utcoffset()
        return offset.total_seconds() if offset else 0


class PostgreSQLDialect(Dialect):
    lock_timeout = "SET LOCAL lock_timeout = '1s'"

    def now(self) -> str:
        # Not now(): that is when the transaction began, which is the caller's in an atomic task.
        return "statement_timestamp()"

    def among(self, column: str, ids: Sequence[Any], params: Params) -> str:
        if ids and isinstance(ids[0], str):  # psycopg2 would send text[], which is compared with no inet or enum
            return super().among(column, ids, params)
        params["ids"] = list(ids)
        return f"{column} = ANY(%(ids)s)"

    def wake(self, workers: str, idle: str) -> str | None:
        if not get_settings().notify:
            return None
        # Only then: NOTIFY takes a lock on the whole server at commit.
        return f"SELECT pg_notify('{CHANNEL}', %(queue)s) FROM {workers} WHERE {idle} LIMIT 1"

    def own_settings(self, given: Mapping[str, Any], silence: float) -> dict[str, Any]:
        own = super().own_settings(given, silence)
        options = own["OPTIONS"]
        options.pop("isolation_level", None)  # READ COMMITTED, Django's default
        options.pop("pool", None)  # a pool is the project's; ours is one connection
        seconds = max(2, int(silence))
        options.setdefault("connect_timeout", seconds)
        options.setdefault("tcp_user_timeout", seconds * 1000)
        options.setdefault("keepalives_idle", seconds)
        return own


class SQLiteDialect(Dialect):
    begin = "BEGIN IMMEDIATE"
    one_writer = True
    # The busy handler starves: one of four workers got nearly all the work. We wait with jitter instead.
    be_impatient = "PRAGMA busy_timeout = 1"
    FORM = "'%%Y-%%m-%%d %%H:%%M:%%f'"

    def be_patient(self) -> str | None:
        with self.connection.cursor() as cursor:  # a project may have set it by init_command too
            cursor.execute("PRAGMA busy_timeout")
            return f"PRAGMA busy_timeout = {cursor.fetchone()[0]}"

    def now(self) -> str:
        return f"strftime({self.FORM}, 'now'{self._shift()})"

    def utc_now(self) -> str:
        return f"strftime({self.FORM}, 'now')"

    def after(self, seconds: str) -> str:
        return f"strftime({self.FORM}, 'now', ({seconds}) || ' seconds'{self._shift()})"

    def _shift(self) -> str:
        offset = self._offset_from_utc()
        return f", '{offset:+.0f} seconds'" if offset else ""

    def own_settings(self, given: Mapping[str, Any], silence: float) -> dict[str, Any]:
        own = super().own_settings(given, silence)
        own["OPTIONS"]["timeout"] = 0.001  # as be_impatient
        return own


class MySQLDialect(Dialect):
    begin = "START TRANSACTION"
    lock_timeout = "SET SESSION innodb_lock_wait_timeout = 1"

    def ids_by_time(self) -> bool:
        # As text they are compared by a collation: what all of them begin with costs more than the order saves.
        return bool(self.connection.features.has_native_uuid_field)

    def now(self) -> str:
        offset = self._offset_from_utc()
        return f"({self.utc_now()} + INTERVAL {offset:.0f} SECOND)" if offset else self.utc_now()

    def utc_now(self) -> str:
        return "UTC_TIMESTAMP(6)"

    def after(self, seconds: str) -> str:
        return f"({self.now()} + INTERVAL {seconds} SECOND)"

    def index_hint(self, index: str | None) -> str:
        return f"FORCE INDEX ({index})" if index else ""

    def before_transaction(self) -> str | None:
        is_so = self.connection.isolation_level == "read committed"  # as Django has set it, and sets by default
        return None if is_so else "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"

    def read_after_conflict(self) -> str:
        # REPEATABLE READ hides the row from a plain read; FOR UPDATE after INSERT IGNORE deadlocks.
        return "LOCK IN SHARE MODE"

    def largest_statement(self) -> int | None:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            return int(cursor.fetchone()[0])

    def own_settings(self, given: Mapping[str, Any], silence: float) -> dict[str, Any]:
        own = super().own_settings(given, silence)
        options = own["OPTIONS"]
        options["isolation_level"] = "read committed"  # gap locks deadlock
        for name in ("connect_timeout", "read_timeout", "write_timeout"):
            options.setdefault(name, max(2, int(silence)))
        return own


DIALECTS: dict[str, type[Dialect]] = {
    "postgresql": PostgreSQLDialect,
    "sqlite": SQLiteDialect,
    "mysql": MySQLDialect,
}


def dialect_for(connection: Any) -> Dialect:
    return DIALECTS.get(connection.vendor, Dialect)(connection)
