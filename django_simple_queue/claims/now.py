"""The database's clock, for filters and updates."""

from __future__ import annotations

from typing import Any

from django.db.models import DateTimeField, Func

from ..backends.dialects import dialect_for


class DbNow(Func):
    """The database's time in the form in which Django stores a DateTimeField there.

    Django's Now() is in the session's time zone on MySQL, and UTC on SQLite where USE_TZ is off.
    """

    output_field = DateTimeField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        return dialect_for(connection).now(), ()
