"""The guard of a claim: those conditions of a filter that every write can check again, and whether it makes them false.

A condition belongs to it if it reads columns of the model's own table alone and holds no subquery. What joins or looks
into other tables only chooses candidates: a database does not look there again before it writes.
"""

from __future__ import annotations

import datetime
import operator
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any

from django.db.models.expressions import Col, Func, RawSQL
from django.db.models.fields import Field
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, In, IsNull, LessThan, LessThanOrEqual
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

ORDER: dict[type, Callable[[Any, Any], bool]] = {
    LessThan: operator.lt,
    LessThanOrEqual: operator.le,
    GreaterThan: operator.gt,
    GreaterThanOrEqual: operator.ge,
}


def own_conditions(query: Query, table: str) -> list[Any]:
    """The AND-ed conditions of a resolved query that read `table` alone."""
    return [condition for condition in _conjuncts(query.where) if _reads_only(condition, table)]


def _conjuncts(where: WhereNode) -> Iterator[Any]:
    if where.connector != AND or where.negated:
        yield where
        return
    for child in where.children:
        if isinstance(child, WhereNode):
            yield from _conjuncts(child)
        else:
            yield child


def parts(condition: Any) -> Iterator[Any]:
    """A condition and every expression in it; subqueries are not entered."""
    yield condition
    if isinstance(condition, WhereNode):
        inner: Iterable[Any] = condition.children
    else:
        inner = condition.get_source_expressions() if hasattr(condition, "get_source_expressions") else ()
        rhs = getattr(condition, "rhs", None)
        if isinstance(rhs, Query) or hasattr(rhs, "resolve_expression"):
            inner = [*inner, rhs]
        elif isinstance(rhs, (list, tuple, set)):
            inner = [*inner, *(one for one in rhs if hasattr(one, "resolve_expression"))]
    for one in inner:
        if one is not None:
            yield from parts(one)


def _reads_only(condition: Any, table: str) -> bool:
    for part in parts(condition):
        if isinstance(part, Query) or getattr(part, "subquery", False) or hasattr(part, "query"):
            return False
        if isinstance(part, Col) and part.alias != table:
            return False
        if isinstance(part, RawSQL) or not (isinstance(part, WhereNode) or hasattr(part, "get_source_expressions")):
            return False  # SQL of the project's own, of which nothing can be told
    return True


def columns_read(conditions: Iterable[Any]) -> set[str]:
    return {str(part.target.column) for condition in conditions for part in parts(condition) if isinstance(part, Col)}


def may_fade(conditions: Iterable[Any]) -> bool:
    """Whether one reads the clock, or chance: a row may leave it between the look and the write."""
    return any(
        isinstance(part, Func) and not part.get_source_expressions() for one in conditions for part in parts(one)
    )


def is_djangos(thing: Any, module: str = "django.") -> bool:
    """Whether its class comes from there, and those of the fields that a foreign key has its values from."""
    own = type(thing).__module__.startswith(module)
    return is_djangos(thing.target_field, module) if own and getattr(thing, "remote_field", None) else own


def made_false(conditions: Iterable[Any], written: Mapping[str, tuple[Field[Any, Any], Any]], zone: tzinfo) -> bool:
    """Whether plain values, by column, make one of the conditions false for certain. Times are stored in `zone`."""
    return any(_made_false(condition, written, zone) for condition in conditions)


def _made_false(condition: Any, written: Mapping[str, tuple[Field[Any, Any], Any]], zone: tzinfo) -> bool:
    column = getattr(condition, "lhs", None)
    if not isinstance(column, Col) or str(column.target.column) not in written:
        return False
    field, value = written[str(column.target.column)]
    if hasattr(value, "resolve_expression") or not (is_djangos(condition) and is_djangos(field)):
        return False  # what a lookup or field of the project's own does cannot be told from what it derives from
    value, rhs = _as_stored(field.get_prep_value(value), zone), _as_stored(condition.rhs, zone)
    if isinstance(condition, IsNull):
        return (value is None) is not bool(rhs)
    if isinstance(condition, Exact):
        return value is None or _differ(value, rhs)
    if isinstance(condition, In):
        return value is None or (isinstance(rhs, list) and all(_differ(value, one) for one in rhs))
    holds = next((ORDER[kind] for kind in type(condition).__mro__ if kind in ORDER), None)
    return holds is not None and (value is None or (_comparable(value, rhs) and not holds(value, rhs)))


def _as_stored(value: Any, zone: tzinfo) -> Any:
    """Times as the database compares them. Python looks at two times' hands alone if their zone is the same."""
    if isinstance(value, (list, tuple, set)):
        return [_as_stored(one, zone) for one in value]
    aware = isinstance(value, datetime.datetime) and value.tzinfo is not None
    return value.astimezone(zone).replace(tzinfo=datetime.timezone.utc) if aware else value


def _differ(value: Any, other: Any) -> bool:
    """For certain, in every database: collations may ignore case, accents, blanks, signs, and all emojis be one."""
    if other is None:
        return True
    if isinstance(value, str) and isinstance(other, str):
        return value.isascii() and other.isascii() and _folded(value) != _folded(other)
    return _comparable(value, other) and value != other


def _folded(text: str) -> str:
    """What the most lenient collation would compare of ASCII text."""
    return "".join(c for c in text if c.isalnum()).lower()


def _comparable(value: Any, other: Any) -> bool:
    """Whether they compare here as they do in every database."""
    if isinstance(value, datetime.datetime) and isinstance(other, datetime.datetime):
        return (value.tzinfo is None) is (other.tzinfo is None)
    # No floats and decimals: what is stored of them may be less exact.
    kinds: tuple[type, ...] = (int, datetime.date, uuid.UUID)
    return any(isinstance(value, kind) and isinstance(other, kind) for kind in kinds)
