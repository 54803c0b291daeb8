"""The database's clock, for filters and updates."""

from __future__ import annotations

from typing import Any

from django.db.models import DateTimeField, Func

from ..backends.dialects import dialect_for


class DbNow(Func):
    """The database's time in the form in which Django stores a DateTimeField there.

    Django's Now() is in the session's time zone on MySQL, and UTC on SQLite where USE_TZ is off. A zone that times are
    stored in, by USE_TZ=False or an alias's TIME_ZONE, takes its summer time along: stored times then jump by an hour.
    """

    output_field = DateTimeField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        return dialect_for(connection).now(), ()


class UtcNow(DbNow):
    """The database's time in UTC, whatever zone times are stored in, so that it never jumps.

    Only for times that nobody but the database compares: Django would read them as others.
    """

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        return dialect_for(connection).utc_now(), ()
