"""What a project may name in DJANGO_SIMPLE_QUEUE_CLAIMS, right and wrong."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from django_simple_queue.claims import DbNow
from tests.claims.models import Campaign, Child, Heap, Line, PairTarget, Target


def in_order() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by("priority", "id")


# Served by the index of status, priority and id


def backwards() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by("-priority", "-id")


def in_no_order() -> QuerySet[Target]:
    return Target.objects.filter(status=0)


def joined() -> QuerySet[Target]:
    return in_order().filter(campaign__active=True)


def with_exists() -> QuerySet[Target]:
    return in_order().filter(Exists(Line.objects.filter(target=OuterRef("pk"), done=False)))


def leased() -> QuerySet[Target]:
    return in_order().filter(Q(lease_until=None) | Q(lease_until__lt=DbNow()))


# Not served


def unclaimed() -> QuerySet[Target]:
    return Target.objects.filter(claimer=None).order_by("tries")


def by_tries() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by("tries")


def newest_first() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by("-tries", "-id")


def both_ways() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by("-priority", "id")


def by_campaign() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by("campaign__rank", "id")


def nulls_last() -> QuerySet[Target]:
    return Target.objects.filter(status=0).order_by(F("claimer").asc(nulls_last=True))


def all_but_leased() -> QuerySet[Target]:
    return Target.objects.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow())).order_by("id")


def heap() -> QuerySet[Heap]:
    return Heap.objects.filter(status=0).order_by("place")


def heap_by_key() -> QuerySet[Heap]:
    return Heap.objects.filter(status=0).order_by("id")


def pairs() -> QuerySet[PairTarget]:
    return PairTarget.objects.filter(status=0)


def unsent() -> QuerySet[Child]:
    return Child.objects.filter(sent=False)


# Not to be claimed from


def nothing() -> QuerySet[Target]:
    return in_order().none()


def values() -> Any:
    return Target.objects.filter(status=0).values("id")


def a_list() -> Any:
    return [*Campaign.objects.none()]


def broken() -> QuerySet[Target]:
    return Target.objects.filter(no_such_field=0)


def nobody_would_be_out() -> QuerySet[Target]:
    return Target.objects.filter(campaign__active=True, pk__gt=0)


def elsewhere() -> QuerySet[Target]:
    return in_order().using("elsewhere")
