"""Many new rows at once, by what is quickest on each database; part of the caller's transaction as any INSERT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .session import Session

Values = Sequence[Any]  # of one row, as Django's field.get_db_prep_save() gives them
CHUNK = 1000  # rows that are put into text at a time
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def insert(session: Session, table: str, columns: Sequence[str], rows: Sequence[Values]) -> None:
    """Add the rows; raises what an INSERT of them would."""
    # Whoever watches a connection's statements, or forbids them, is shown some.
    if session.connection.vendor == "postgresql" and not session.connection.execute_wrappers:
        _copy(session, table, columns, rows)
        return
    names = ", ".join(map(session.dialect.quote, columns))
    marks = ", ".join(["%s"] * len(columns))
    with session.connection.cursor() as cursor:
        # MySQL's driver makes statements of many rows of it; SQLite prepares it once.
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


def _copy(session: Session, table: str, columns: Sequence[str], rows: Sequence[Values]) -> None:
    sql = f"COPY {table} ({', '.join(map(session.dialect.quote, columns))}) FROM STDIN"
    with session.connection.cursor() as cursor, session.connection.wrap_database_errors:
        if hasattr(cursor.cursor, "copy_expert"):  # psycopg2
            cursor.cursor.copy_expert(sql, _Reader(_chunks(rows)))
            return
        with cursor.cursor.copy(sql) as copy:
            for chunk in _chunks(rows):
                copy.write(chunk)


def _chunks(rows: Sequence[Values]) -> Iterator[bytes]:
    for start in range(0, len(rows), CHUNK):
        yield "".join(map(_line, rows[start : start + CHUNK])).encode()


def _line(row: Values) -> str:
    return "\t".join(["\\N" if value is None else str(value).translate(ESCAPED) for value in row]) + "\n"


class _Reader:
    """What psycopg2 reads from, a chunk whenever it asks for some bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks, self.left = iter(chunks), b""

    def read(self, size: int) -> bytes:
        if not self.left:
            self.left = next(self.chunks, b"")
        piece, self.left = self.left[:size], self.left[size:]
        return piece
