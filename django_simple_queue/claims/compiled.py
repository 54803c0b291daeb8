"""From a QuerySet and updates to a ClaimSpec, and from its rows to model instances. No database is asked."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import FullResultSet
from django.db import connections
from django.db.models import Choices, DecimalField, Field, JSONField, Model, QuerySet
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.where import AND, WhereNode

from ..backends import ClaimSpec
from ..exceptions import ClaimError
from . import guard
from .refused import check_joins, fields_written, is_generated

# Values that a database gives back as they were given to it.
AS_GIVEN = {bool, int, type(None), str, uuid.UUID, datetime.datetime, datetime.date, datetime.timedelta}
PLACEHOLDER = re.compile(r"%%|%s")
SQL = tuple[str, Sequence[Any]]


class Compiled(NamedTuple):
    spec: ClaimSpec
    instance: Callable[[tuple[Any, ...]], Any]  # of a row that was taken


class Names:
    """Gives the values of several pieces of SQL names in one dictionary."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}

    def __call__(self, sql: str, values: Sequence[Any]) -> str:
        left = iter(values)

        def name(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%%"
            key = f"p{len(self.params)}"
            self.params[key] = next(left)
            return f"%({key})s"

        return PLACEHOLDER.sub(name, sql)


def compiled(queryset: QuerySet[Any], updates: Mapping[str, Any], using: str) -> Compiled:
    """Raises ClaimError for what cannot be safe, EmptyResultSet for a filter that nothing can match."""
    query = queryset.query.chain()
    fields = fields_written(queryset.model, updates)
    values = {name: _plain(fields[name], value) for name, value in updates.items()}
    rows = rows_of(queryset, using)
    source, joins = _source(query, rows.pk_fields, using)
    table = query.get_initial_alias()
    conditions = guard.own_conditions(query, table)
    written = {str(field.column): (field, values[name]) for name, field in fields.items()}
    read = guard.columns_read(conditions)
    if not read & written.keys():
        generated = [field.column for field in queryset.model._meta.concrete_fields if is_generated(field)]
        made = sorted(read.intersection(generated))
        raise ClaimError(
            f"claim_rows(): updates write {sorted(updates)}, but the filter's own-table conditions read"
            f" {sorted(read)}: a claimed row would be given out again"
            + (f"; {made} are generated: filter by a column that is written as well" if made else "")
        )
    named = Names()
    quoted = _quote(query.get_compiler(using))(table)
    as_given = all(type(value) in AS_GIVEN and _keeps(fields[name]) for name, value in values.items())
    spec = ClaimSpec(
        table=quoted,
        key=rows.key if len(rows.pk_fields) > 1 else rows.key[0],
        columns=tuple(named(*column) for column in rows.columns),
        guard=named(*_where(query, conditions, using)),
        write=named(*_assignments(queryset.model, updates, using)),
        source=named(*source),
        of=quoted if joins else "",
        ordered=bool(query.order_by or (query.default_ordering and query.get_meta().ordering)),
        reread=None if as_given and not rows.inherits and not rows.computed else rows.source,
        elsewhere=rows.inherits,
        prove=not guard.made_false(conditions, written, _zone(using)),
        fades=guard.may_fade(conditions),
        params=named.params,
    )
    shown = {fields[name].attname: value for name, value in values.items()} if as_given else {}
    return Compiled(spec, rows.maker(shown))


def _quote(compiler: Any) -> Callable[[Any], str]:
    """Quotes names as the compiler does, whose method has another name since Django 6.1."""
    quote: Callable[[Any], str] = getattr(compiler, "quote_name", None) or compiler.quote_name_unless_alias
    return quote


def _plain(field: Any, value: Any) -> Any:
    """The key of a model instance for a foreign key, the value of a choice; else the value."""
    if isinstance(value, Model) and field.remote_field:
        return getattr(value, field.target_field.attname)
    return value.value if isinstance(value, Choices) else value


def _zone(using: str) -> datetime.tzinfo:
    """The one in which times are stored there."""
    connection = connections[using]
    stored = None if connection.features.supports_timezones else connection.timezone
    return stored or datetime.timezone.utc


def _keeps(field: Any) -> bool:
    """Whether what is written to it is what will be read: not of decimals, which are rounded, nor of fields that are
    not Django's own."""
    if not guard.is_djangos(field, "django.db.models.fields"):
        return False
    while field.remote_field:
        field = field.target_field
    return not isinstance(field, (DecimalField, JSONField))


def _source(query: Query, pk_fields: Iterable[Field[Any, Any]], using: str) -> tuple[SQL, bool]:
    """FROM ... WHERE ... ORDER BY ..., and whether it joins."""
    query = query.chain()
    query.clear_select_clause()
    query.add_fields([field.attname for field in pk_fields])
    compiler = query.get_compiler(using)
    if _order_may_join(query):
        compiler.setup_query()
        compiler.get_order_by()  # adds what is joined for the order alone, which as_sql() takes back
        check_joins(query)
    joins = sum(1 for count in query.alias_refcount.values() if count) > 1
    sql, params = compiler.as_sql()
    head = f"SELECT {', '.join(column for _, (column, _), _ in compiler.select)} "
    assert sql.startswith(head), sql
    return (sql[len(head) :], params), joins


def _order_may_join(query: Query) -> bool:
    """False if it orders by columns of the table alone, by their names."""
    opts: Any = query.get_meta()
    order = query.order_by or (opts.ordering if query.default_ordering else ())
    own = {field.name for field in opts.local_concrete_fields if not field.is_relation}
    return not all(isinstance(one, str) and one.lstrip("-") in own for one in order)


def _where(query: Query, conditions: list[Any], using: str) -> SQL:
    try:
        sql, params = query.get_compiler(using).compile(WhereNode(conditions, AND))
    except FullResultSet:
        return "1 = 1", ()
    return sql, params


def _assignments(model: type[Model], updates: Mapping[str, Any], using: str) -> SQL:
    """What stands between SET and WHERE."""
    query = UpdateQuery(model)
    # MySQL writes one column after the other: expressions first, so that they read what was there before.
    plain_last = sorted(updates.items(), key=lambda update: not hasattr(update[1], "resolve_expression"))
    query.add_update_values(dict(plain_last))
    compiler = query.get_compiler(using)
    sql, params = compiler.as_sql()
    head = f"UPDATE {_quote(compiler)(query.base_table)} SET "
    assert sql.startswith(head), sql
    return sql[len(head) :], params


def rows_of(queryset: QuerySet[Any], using: str) -> Rows:
    """Made once for each connection, model and choice of fields."""
    names, are_left_out = queryset.query.deferred_loading
    which = queryset.model, (frozenset(names), are_left_out)
    known: dict[Any, Rows] = connections[using].__dict__.setdefault("_dsq_rows", {})
    if which not in known:
        known[which] = Rows(*which, using)
    return known[which]


class Rows:
    """The columns that a queryset's instances are made of, and how they are made."""

    def __init__(self, model: type[Model], deferred: Any, using: str) -> None:
        query = Query(model)
        query.deferred_loading = deferred
        self.model, self.using = model, using
        self.compiler = query.get_compiler(using)
        self.compiler.pre_sql_setup()
        self.pk_fields: Any = model._meta.pk_fields
        quote = _quote(self.compiler)
        table = quote(query.base_table)
        self.key = tuple(f"{table}.{quote(field.column)}" for field in self.pk_fields)
        self.expressions = [expression for expression, _, _ in self.compiler.select]
        self.columns: list[SQL] = [column for _, column, _ in self.compiler.select]
        self.source = f"FROM {' '.join(self.compiler.get_from_clause()[0])}"
        self.inherits = self.source != f"FROM {table}"
        self.computed = any(is_generated(each.target) for each in self.expressions)
        self.names = [expression.target.attname for expression in self.expressions]

    def maker(self, written: Mapping[str, Any]) -> Callable[[tuple[Any, ...]], Any]:
        """An instance of each row, which is the key and then the columns; `written` is what they do not show yet."""
        names, converters = self.names, self.compiler.get_converters(self.expressions)
        fields = {field.attname: field for field in self.model._meta.concrete_fields}
        shown = {
            names.index(name): fields[name].to_python(fields[name].get_prep_value(value))
            for name, value in written.items()
            if name in names
        }
        keys = len(self.key)

        def make(row: tuple[Any, ...]) -> Any:
            (values,) = self.compiler.apply_converters([row[keys:]], converters)
            for place, value in shown.items():
                values[place] = value
            return self.model.from_db(self.using, names, values)

        return make
