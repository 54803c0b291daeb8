"""What claim_rows() refuses, before any SQL is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.db.models import Field, Model, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql import Query
from django.db.models.sql.where import ExtraWhere

from ..exceptions import ClaimError
from .guard import parts

MOST = 1000


def check_queryset(queryset: Any) -> None:
    if not isinstance(queryset, QuerySet):
        raise TypeError(f"claim_rows() needs a QuerySet, not {type(queryset).__name__}.")
    query = queryset.query
    for wrong, why in _wrongs(queryset, query):
        if wrong:
            raise ClaimError(f"claim_rows(): {why}")
    check_joins(query)
    check_prefetched(queryset)


def _wrongs(queryset: QuerySet[Any], query: Query) -> Iterable[tuple[Any, str]]:
    yield query.is_sliced, "the queryset is sliced; give limit= instead"
    yield query.combinator, "union() querysets cannot be claimed; filter with Q(...) | Q(...)"
    yield query.distinct, "distinct() cannot be locked row by row; filter with Exists(...)"
    yield (
        queryset._iterable_class is not ModelIterable,
        "values()/values_list() is not supported: model instances come back",
    )
    selected = sorted(query.annotation_select)
    grouped = query.group_by is not None or any(
        getattr(each, "contains_aggregate", False) or getattr(each, "contains_over_clause", False)
        for each in (query.where, *query.annotations.values())
    )
    yield grouped, "aggregates and windows cannot be locked row by row; filter with Exists()/Subquery()"
    yield selected, f"annotations {selected} would be computed before the update; use alias()"
    yield query.select_related, "select_related() is not supported; use prefetch_related()"
    extra = query.extra or query.extra_tables or query.extra_order_by
    yield extra or any(isinstance(part, ExtraWhere) for part in parts(query.where)), "extra(...) is not supported"
    yield query.select_for_update, "drop select_for_update(): the strategy chooses the locks"


def check_joins(query: Query) -> None:
    """Raises ClaimError for joins, those of the order included, that may give a row several times."""
    if many := sorted(_joined_rows(query)):
        raise ClaimError(
            f"claim_rows(): the filter joins many rows ({', '.join(many)}); use Exists(...) so that a row matches once"
        )


def _joined_rows(query: Query) -> Iterable[str]:
    """Names of the relations that a query joins and that may give several rows for one."""
    for alias, join in query.alias_map.items():
        field = getattr(join, "join_field", None)
        other = getattr(field, "field", None)
        if getattr(other, "one_to_many", False):
            field = other  # a generic relation, which is joined by what says of itself that it leads to one row
        if query.alias_refcount[alias] and field is not None and (field.one_to_many or field.many_to_many):
            yield field.name.removesuffix("+")


def check_prefetched(queryset: Any) -> None:
    """Raises AttributeError, as Django does, for names of which it would say so after the claim."""
    known: set[str] = set()  # from to_attr of those before
    for asked in queryset._prefetch_related_lookups:
        lookup = getattr(asked, "prefetch_through", asked)
        name = lookup.partition("__")[0]
        if name not in known and not hasattr(queryset.model, name):
            raise AttributeError(
                f"Cannot find {name!r} on {queryset.model.__name__} object, {lookup!r} is an invalid parameter to"
                f" prefetch_related()"
            )
        known.add(getattr(asked, "to_attr", None) or name)


def check_limit(limit: Any) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise ClaimError(f"claim_rows(): limit must be a whole number from 1 to {MOST}, not {limit!r}")


def is_generated(field: Any) -> bool:
    return bool(getattr(field, "generated", False))


def fields_written(model: type[Model], updates: Any) -> dict[str, Field[Any, Any]]:
    """The field of each update, by the name that the caller gave it. Django's FieldDoesNotExist for no field at all."""
    if not updates:
        raise ClaimError("claim_rows(): updates is empty")
    return {name: _writable(model, name) for name in updates}


def _writable(model: type[Model], name: str) -> Field[Any, Any]:
    opts: Any = model._meta
    field: Any = opts.pk if name == "pk" else opts.get_field(name)
    if field in opts.pk_fields:
        raise ClaimError(f"claim_rows(): updates may not write the primary key ({name!r})")
    if not getattr(field, "concrete", False) or is_generated(field) or field.many_to_many:
        raise ClaimError(f"claim_rows(): {name!r} is a generated or non-concrete field and cannot be written")
    if field.model._meta.concrete_model is not opts.concrete_model:
        base, child = field.model.__name__, opts.model_name
        raise ClaimError(
            f"claim_rows(): {name!r} lies in the table of {base} (multi-table inheritance); claim"
            f" {base}.objects.filter({child}__isnull=False) instead"
        )
    return cast("Field[Any, Any]", field)
