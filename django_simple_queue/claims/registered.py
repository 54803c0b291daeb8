"""The querysets that DJANGO_SIMPLE_QUEUE_CLAIMS names: how each is claimed, and whether an index serves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections, router, transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, IsNull
from django.utils.module_loading import import_string

from ..backends import ClaimSpec, ClaimStrategy
from ..backends.plans import Lookup, Plan, PlanReader, look_up, plan_reader
from ..exceptions import ClaimError
from . import guard
from .compiled import compiled
from .refused import check_queryset


class Registered(NamedTuple):
    """What a function named in the setting returned, and the alias that it would be claimed from."""

    name: str
    queryset: QuerySet[Any]
    alias: str


class Problem(NamedTuple):
    what: str
    fix: str


class Judged(NamedTuple):
    """How a registered queryset is claimed; `problem`: what a claim would cost that an index could save."""

    name: str
    found: Lookup
    problem: Problem | None


def load(name: Any) -> Registered:
    """Raises ClaimError, without asking a database, if there is no such function or it gives nothing to claim from."""
    try:
        queryset = import_string(name)()
        check_queryset(queryset)
        return Registered(name, queryset, queryset._db or router.db_for_write(queryset.model, **queryset._hints))
    except ClaimError:
        raise
    except Exception as error:  # the function is the project's own code
        raise ClaimError(f"{type(error).__name__}: {error}") from error


def judge(registered: Registered, strategy: ClaimStrategy) -> Judged | None:
    """Asks the database for the plan and changes nothing. None where the filter can match nothing.

    Raises ClaimError for what claim_rows() would refuse whatever the updates, and the database's error.
    """
    name, queryset, alias = registered
    table = queryset.model._meta.db_table
    reader = plan_reader(strategy.session, table)
    try:
        spec = _spec(queryset, alias)
    except EmptyResultSet:
        return None
    with transaction.atomic(using=alias):  # an error breaks nothing that is the caller's
        found = look_up(strategy, spec, reader)
        plan, advice = found.plan, _advice(queryset, alias, reader)
        if plan is None or plan.serves:
            return Judged(name, found, None)
        if not plan.sorts and advice.plain and reader.could_seek(advice.equal, advice.order):
            return Judged(name, found, None)
    return Judged(name, found, Problem(_cost(name, table, found, plan, reader), advice.text))


def _cost(name: str, table: str, found: Lookup, plan: Plan, reader: PlanReader) -> str:
    if not plan.sorts:
        by = plan.by or "no index"
        return f"Claims from {name} would scan {table} by {by}: each claim reads past all rows that do not match."
    locks = ", and locks them: rivals find none" if reader.locks_all and found.lock else ""
    return (
        f"Claims from {name} would sort: no index of {table} serves filter and order together. Each claim reads all"
        f" rows that match{locks}."
    )


def _spec(queryset: QuerySet[Any], alias: str) -> ClaimSpec:
    """As claim_rows() would make it; what it writes is no matter, so it is something that the filter reads."""
    query = queryset.query.chain()
    read = guard.columns_read(guard.own_conditions(query, str(query.get_initial_alias())))
    concrete: Any = queryset.model._meta.concrete_model
    for field in concrete._meta.local_concrete_fields:
        if field.column in read and field not in concrete._meta.pk_fields and not getattr(field, "generated", False):
            spec = compiled(queryset, {field.name: F(field.name)}, alias).spec
            return spec if spec.elsewhere else replace(spec, reread=None)  # most claims read the columns at once
    raise ClaimError(
        f"claim_rows(): the filter's own-table conditions read {sorted(read)}, none of which a claim could write:"
        " a claimed row would be given out again"
    )


class Advice(NamedTuple):
    """What would help; if it is a plain index, its columns: those asked for one value, then the order."""

    text: str
    plain: bool = False
    equal: Sequence[str] = ()
    order: Sequence[str] = ()


def _advice(queryset: QuerySet[Any], alias: str, reader: PlanReader) -> Advice:
    """The index that would serve: columns that the guard asks for one value, then the order."""
    query = queryset.query.chain()
    table = str(query.get_initial_alias())
    order = _order(query, alias, table)
    if order is None:
        return Advice(f"No index serves this order: order by columns of {queryset.model._meta.db_table} itself.")
    if any(one.startswith("-") for one in order) and not connections[alias].features.supports_index_column_ordering:
        return Advice("No index serves this order here: order by columns that all ascend, or all descend.")
    equal, where = [], []
    for field, value in _asked_for_one_value(guard.own_conditions(query, table)):
        if (isinstance(value, bool) and not reader.booleans) or (value is None and order and not reader.nulls):
            where.append(f"{field}={value}")
        else:
            equal.append(field)
    if not equal and not where:
        return Advice("Let the filter ask a column for one value, such as a status; index it, then the order.")
    equal = list(dict.fromkeys(equal))
    order = [one for one in order if one.lstrip("-") not in equal]
    fields = [*equal, *order] or [where[0].partition("=")[0]]
    partial = f", condition=Q({', '.join(where)})" if where else ""
    column = {field.name: str(field.column) for field in queryset.model._meta.concrete_fields}
    return Advice(
        f"models.Index(fields={fields!r}{partial}, name=...) in {queryset.model.__name__}.Meta.indexes",
        plain=not where,
        equal=[column[one] for one in equal],
        order=[f"{'-' if one.startswith('-') else ''}{column[one.lstrip('-')]}" for one in order],
    )


def _asked_for_one_value(conditions: list[Any]) -> Iterator[tuple[str, Any]]:
    for condition in conditions:
        column, value = getattr(condition, "lhs", None), getattr(condition, "rhs", None)
        is_one = isinstance(condition, Exact) and not hasattr(value, "resolve_expression")
        if isinstance(column, Col) and (is_one or (isinstance(condition, IsNull) and value)):
            yield column.target.name, value if is_one else None


def _order(query: Any, alias: str, table: str) -> list[str] | None:
    """As the fields of an index; None if it orders by something else than the table's columns."""
    compiler = query.get_compiler(alias)
    found: list[str] = []
    for order, _ in compiler.pre_sql_setup()[1]:
        column = order.expression
        if not isinstance(column, Col) or column.alias != table or order.nulls_first or order.nulls_last:
            return None
        found.append(f"{'-' if order.descending else ''}{column.target.name}")
        if column.target.unique and not column.target.null:
            break  # what follows orders nothing
    if all(one.startswith("-") for one in found):
        return [one[1:] for one in found]  # read backwards
    return found
