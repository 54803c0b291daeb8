"""claim_rows(): rows of any table for this caller and for nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.exceptions import EmptyResultSet
from django.db import router
from django.db.models import Model, QuerySet, prefetch_related_objects

from ..backends import ClaimStrategy, Session, get_strategy
from ..backends.errors import advised
from ..conf import get_settings
from ..exceptions import ClaimError, StillClaimable
from .compiled import compiled
from .refused import check_limit, check_queryset

M = TypeVar("M", bound=Model)


def claim_rows(
    queryset: QuerySet[M],
    *,
    limit: int,
    updates: Mapping[str, Any],
    using: str | None = None,
    durable: bool = False,
    wait: float = 10.0,
) -> list[M]:
    """Up to `limit` (1 to 1000) rows that match, by writing `updates`, which must take them out of the filter.

    They come in the queryset's order, with the written values. [] means "none that could be taken now", never "none
    left". Like `QuerySet.update()` it calls no `save()` and sends no signals. In a transaction of the caller's rows are
    held until it ends, and nothing is tried again; elsewhere `wait` is for how many seconds a busy database is asked
    again. Raises ClaimError for what cannot be claimed safely, RuntimeError in a transaction if `durable`.
    """
    check_queryset(queryset)
    check_limit(limit)
    asked: Any = queryset  # for what it does not say in public
    alias = using or asked._db or router.db_for_write(queryset.model, **asked._hints)
    strategy = _strategy(alias)
    strategy.session.wait = wait
    if durable and strategy.session.in_callers_transaction:
        raise RuntimeError("claim_rows(durable=True) cannot be part of a transaction, which might be rolled back.")
    try:
        spec, instance = compiled(queryset, updates, alias)
        with advised(strategy.session):
            claimed = strategy.take(spec, limit, row=instance)
    except EmptyResultSet:
        return []
    except StillClaimable:
        raise ClaimError(
            "claim_rows(): the updates leave claimed rows inside the filter (they would be given out again);"
            " nothing was changed"
        ) from None
    if asked._prefetch_related_lookups:
        prefetch_related_objects(claimed, *asked._prefetch_related_lookups)
    return claimed


def _strategy(alias: str) -> ClaimStrategy:
    """One for each connection, since it may remember whether it met rivals; kept there, to go with it."""
    session = Session(alias)
    wanted = get_settings().strategy_for(alias)
    kept: dict[str, ClaimStrategy] = session.connection.__dict__.setdefault("_dsq_claim_strategies", {})
    if wanted not in kept:
        kept[wanted] = get_strategy(session=session, wanted=wanted)
    return kept[wanted]


aclaim_rows = sync_to_async(claim_rows)
