"""Ways of claiming orders: the best statement of each database, claim_rows(), and what people write with the ORM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from benchmarks.models import Order
from django_simple_queue.claims import claim_rows

TABLE = Order._meta.db_table


def waiting() -> Any:
    return Order.objects.filter(status=0).order_by("priority", "id")


def by_hand(limit: int) -> list[Order]:
    """Into model instances, as all the others."""
    first = f"SELECT id FROM {TABLE} WHERE status = 0 ORDER BY priority, id LIMIT {limit}"
    if connection.vendor == "postgresql":
        chosen = f"ARRAY({first} FOR NO KEY UPDATE SKIP LOCKED)"
        return list(Order.objects.raw(f"UPDATE {TABLE} SET status = 1 WHERE id = ANY({chosen}) RETURNING *"))
    if connection.vendor == "sqlite":
        return list(Order.objects.raw(f"UPDATE {TABLE} SET status = 1 WHERE id IN ({first}) RETURNING *"))
    skip = "SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    with transaction.atomic():
        rows = list(Order.objects.raw(f"{first.replace('id FROM', '* FROM', 1)} FOR UPDATE {skip}"))
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {TABLE} SET status = 1 WHERE id IN %s", [[row.pk for row in rows]])
    for row in rows:
        row.status = 1
    return rows


def by_claim_rows(limit: int) -> list[Order]:
    return claim_rows(waiting(), limit=limit, updates={"status": 1})


def locked() -> Any:
    skips = connection.features.has_select_for_update_skip_locked
    return waiting().select_for_update(skip_locked=True) if skips else waiting().select_for_update()


def with_save(limit: int) -> list[Order]:
    with transaction.atomic():
        rows = list(locked()[:limit])
        for row in rows:
            row.status = 1
            row.save()
    return rows


def with_update(limit: int) -> list[Order]:
    with transaction.atomic():
        rows = list(locked()[:limit])
        Order.objects.filter(pk__in=[row.pk for row in rows]).update(status=1)
    for row in rows:
        row.status = 1
    return rows


WAYS: dict[str, Callable[[int], list[Order]]] = {
    "by hand": by_hand,
    "claim_rows": by_claim_rows,
    "lock, save() each": with_save,
    "lock, update()": with_update,
}
