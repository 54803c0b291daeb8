"""Write what is to be told with what it is about; claim it, send it, say that it was sent."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from django_simple_queue.claims import DbNow, claim_rows

from .models import Message, Order

LEASE = 2  # seconds; short, so that the example need not wait for a dead relay's to end. A minute is usual
MOST_TRIES = 20

logger = logging.getLogger(__name__)


def place_order(total: int) -> Order:
    with transaction.atomic():
        order = Order.objects.create(total=total)
        Message.objects.create(topic="order.placed", body={"order": order.pk, "total": total})
    return order


def waiting() -> QuerySet[Message]:
    free = Q(claimed_until=None) | Q(claimed_until__lt=DbNow())
    return Message.objects.filter(free, status=0).order_by("id")


def relay(send: Callable[[Message], bool]) -> int:
    """Send one batch of what waits; how many were claimed."""
    enough = time.monotonic() + LEASE / 2  # counted from before the claim
    updates = {"claimed_until": DbNow() + timedelta(seconds=LEASE), "fence": F("fence") + 1}
    batch = claim_rows(waiting(), limit=10, updates=updates)
    for message in batch:
        if time.monotonic() > enough:
            break  # the rest is free again when its lease ends
        mine = Message.objects.filter(pk=message.pk, fence=message.fence)
        try:
            sent = send(message)
        except Exception:  # whatever it is: one message must not stop the others
            logger.exception("message %s, try %s", message.pk, message.fence)
            sent = False
        if sent:
            mine.update(status=1)
        elif message.fence >= MOST_TRIES:
            mine.update(status=2)
    return len(batch)
