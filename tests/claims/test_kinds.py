"""What can be claimed: rows of any model, chosen and ordered by anything that matches each of them once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import models
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Lower

from django_simple_queue.claims import claim_rows

from .models import (
    Base,
    Campaign,
    Child,
    Computed,
    Heap,
    Host,
    Line,
    OddTarget,
    PairTarget,
    Target,
    TargetProxy,
    UuidTarget,
    Word,
)
from .tools import assert_as_stored

OPEN = Target.objects.filter(status=0)


@pytest.fixture
def targets(strategy: Any) -> dict[int, Target]:
    """Seven by priority, made in another order: campaigns by turns first (active), second (not), none."""
    first, second = Campaign.objects.create(rank=2), Campaign.objects.create(rank=1, active=False)
    priorities = [3, 0, 6, 1, 5, 2, 4]
    made = Target.objects.bulk_create(
        Target(campaign=[first, second, None][n % 3], priority=n, label=f"L{n % 2}") for n in priorities
    )
    made = list(Target.objects.order_by("pk"))
    Line.objects.bulk_create(Line(target=one, done=one.priority > 3) for one in made for _ in range(2))
    return {one.priority: one for one in made}


def claimed(queryset: Any, limit: int = 10, **updates: Any) -> list[Any]:
    """Claim, see that what is returned is what is stored, and that nothing can be claimed again."""
    found = claim_rows(queryset, limit=limit, updates=updates or {"status": 1})
    assert_as_stored(found)
    left = {one.pk for one in queryset.all()}
    assert not left & {one.pk for one in found}
    return found


def priorities(queryset: Any, limit: int = 10, **updates: Any) -> list[int]:
    return [one.priority for one in claimed(queryset, limit, **updates)]


ORDERS: list[tuple[list[Any], list[int]]] = [
    (["priority"], [0, 1, 2, 3, 4, 5, 6]),
    (["-priority"], [6, 5, 4, 3, 2, 1, 0]),
    (["-label", "priority"], [1, 3, 5, 0, 2, 4, 6]),
    ([F("priority").desc(nulls_last=True)], [6, 5, 4, 3, 2, 1, 0]),
    ([(F("priority") - 3) * (F("priority") - 3), "priority"], [3, 2, 4, 1, 5, 0, 6]),
    ([Lower("label").desc(), "-priority"], [5, 3, 1, 6, 4, 2, 0]),
    ([Coalesce("campaign__rank", 9), "priority"], [1, 4, 0, 3, 6, 2, 5]),
    (["campaign__rank", "priority"], [2, 5, 1, 4, 0, 3, 6]),
    ([F("campaign__rank").desc(nulls_last=True), "-priority"], [6, 3, 0, 4, 1, 5, 2]),
]


def test_they_come_in_the_order_of_the_queryset(targets: Any) -> None:
    for order, expected in ORDERS:
        queryset = OPEN.order_by(*order)
        if order == ["campaign__rank", "priority"]:  # databases put NULL first or last
            expected = [one.priority for one in queryset.all()]
        assert priorities(queryset, 4) == expected[:4], order
        assert priorities(queryset, 4) == expected[4:], order
        Target.objects.update(status=0)


def test_no_more_than_the_limit_and_none_twice(targets: Any) -> None:
    assert [len(claimed(OPEN, 3)) for _ in range(4)] == [3, 3, 1, 0]


def test_what_is_not_ordered_comes_in_any_order(targets: Any) -> None:
    assert sorted(priorities(OPEN.order_by(), 7)) == [0, 1, 2, 3, 4, 5, 6]
    assert Heap.objects.create() in claimed(Heap.objects.filter(status=0).order_by("?"))


def test_a_reversed_order(targets: Any) -> None:
    assert priorities(OPEN.order_by("priority").reverse(), 2) == [6, 5]


FILTERS: list[tuple[Any, list[int]]] = [
    (OPEN.filter(campaign__active=True), [0, 3, 6]),
    (OPEN.filter(Q(campaign__active=False) | Q(campaign=None)), [1, 2, 4, 5]),
    (OPEN.filter(campaign=None), [2, 5]),
    (OPEN.filter(campaign__active=None), [2, 5]),
    (OPEN.exclude(campaign__active=True), [1, 2, 4, 5]),
    (OPEN.filter(campaign__rank=F("priority") + 1), []),
    (OPEN.filter(Exists(Line.objects.filter(target=OuterRef("pk"), done=True))), [4, 5, 6]),
    (OPEN.filter(~Exists(Line.objects.filter(target=OuterRef("pk"), done=True))), [0, 1, 2, 3]),
    (OPEN.exclude(line__done=True), [0, 1, 2, 3]),
    (OPEN.filter(pk__in=Target.objects.filter(priority__gt=4)), [5, 6]),
    (OPEN.filter(campaign__in=Campaign.objects.filter(active=False)), [1, 4]),
    (OPEN.filter(priority=Subquery(Target.objects.order_by("-priority").values("priority")[:1])), [6]),
    (OPEN.filter(Exists(Target.objects.filter(status=0, priority=OuterRef("priority") + 5))), [0, 1]),
    (OPEN.alias(twice=F("priority") * 2).filter(twice__gt=9), [5, 6]),
    (OPEN.alias(rank=F("campaign__rank")).filter(rank=1), [1, 4]),
    (OPEN.alias(lines=Exists(Line.objects.filter(target=OuterRef("pk")))).filter(lines=True, priority=1), [1]),
    (OPEN.alias(at=FilteredRelation("campaign", condition=Q(campaign__active=True))).filter(at__rank=2), [0, 3, 6]),
    (OPEN.filter(RawSQL("priority > %s AND label LIKE '%%1'", [2], models.BooleanField())), [3, 5]),
    (OPEN.filter(RawSQL("active = %s", [False], models.BooleanField()), campaign__rank=1), [1, 4]),
    (OPEN.filter(priority__in=[2, 5, 99]), [2, 5]),
    (OPEN.filter(~Q(pk__in=[]), priority__range=(1, 3)), [1, 2, 3]),
    (OPEN.filter(Q(pk__in=[]) | Q(priority=3)), [3]),
    (OPEN.filter(label__iendswith="1", priority__lt=4), [1, 3]),
    (OPEN.filter(label__contains="%", priority__lt=4), []),
    (OPEN.filter(Q(priority=1) ^ Q(label="L1")), [3, 5]),
    (OPEN.filter(Q(priority__lt=F("status") + 2)), [0, 1]),
    (OPEN.filter(data={}), [0, 1, 2, 3, 4, 5, 6]),
    (OPEN.filter(data__kind=None), []),
    (OPEN.filter(price=0, lease_until=None, fence__lte=0), [0, 1, 2, 3, 4, 5, 6]),
    (Target.objects.exclude(status=1), [0, 1, 2, 3, 4, 5, 6]),
    (TargetProxy.objects.filter(status=0).order_by("priority"), [0, 1, 2, 3, 4, 5, 6]),
]  # fmt: skip


def test_any_filter_that_matches_a_row_once(targets: Any) -> None:
    for queryset, expected in FILTERS:
        queryset = queryset if queryset.query.order_by else queryset.order_by("priority")
        where = str(queryset.query)
        assert priorities(queryset) == expected, where
        assert sorted(one.priority for one in Target.objects.filter(status=1)) == expected, where
        assert priorities(queryset) == [], where
        Target.objects.update(status=0)


def test_a_relation_to_one_row_from_the_other_side(strategy: Any) -> None:
    plain, child = Base.objects.create(), Child.objects.create()
    assert [one.pk for one in claimed(Base.objects.filter(child__isnull=False, status=0))] == [child.pk]
    assert [one.pk for one in claimed(Base.objects.filter(child=None, status=0))] == [plain.pk]


def test_children_by_their_own_columns(strategy: Any) -> None:
    made = [Child.objects.create(status=status) for status in (0, 1, 0, 0)]
    queryset = Child.objects.filter(sent=False, status=0).order_by("-status", "-pk")
    assert claimed(queryset, 2, sent=True) == [made[3], made[2]]
    assert claimed(queryset, 2, sent=True) == [made[0]]
    assert claimed(Child.objects.filter(sent=False).only("status"), 2, sent=True) == [made[1]]


def test_a_proxy_is_given_back_as_one_in_its_own_order(targets: Any) -> None:
    found = claimed(TargetProxy.objects.filter(status=0), 2)
    assert [(type(one), one.priority) for one in found] == [(TargetProxy, 6), (TargetProxy, 5)]


def test_uuids_as_primary_keys(strategy: Any) -> None:
    made = UuidTarget.objects.bulk_create(UuidTarget() for _ in range(9))
    expected = sorted(one.pk for one in made) if _sorted_by_value() else None
    found = [one.pk for _ in range(3) for one in claimed(UuidTarget.objects.filter(status=0), 4)]
    assert found == (expected or found)
    assert set(found) == {one.pk for one in made}
    one = UuidTarget.objects.create()
    assert claimed(UuidTarget.objects.filter(pk=one.pk, status=0)) == [one]


def _sorted_by_value() -> bool:
    """MariaDB orders the uuids of its own kind by another part first."""
    return list(UuidTarget.objects.all()) == sorted(UuidTarget.objects.all(), key=lambda one: one.pk)


def test_text_as_a_primary_key(strategy: Any) -> None:
    words = [
        Word(word=word, place=place) for place, word in enumerate(["zwölf", "it's", "100%s", 'a"b`c', "%(p0)s", ""])
    ]
    random.Random(1).shuffle(words)
    Word.objects.bulk_create(words)
    queryset = Word.objects.filter(status="new")
    found = [one.word for _ in range(3) for one in claimed(queryset, 4, status="taken")]
    assert found == ["", "%(p0)s", 'a"b`c', "100%s", "it's", "zwölf"]


def test_primary_keys_of_several_columns(strategy: Any) -> None:
    pairs = [(tenant, number) for number in range(3) for tenant in (2, 1)]
    PairTarget.objects.bulk_create(PairTarget(tenant=tenant, number=number) for tenant, number in pairs)
    queryset = PairTarget.objects.filter(status=0)
    assert [one.pk for one in claimed(queryset, 4)] == [(1, 0), (1, 1), (1, 2), (2, 0)]
    assert [one.pk for one in claimed(queryset.filter(pk=(2, 2)))] == [(2, 2)]
    assert [one.pk for one in claimed(queryset.filter(pk__in=[(2, 1), (1, 1)]).only("number"))] == [(2, 1)]


def test_as_many_keys_of_several_columns_as_a_limit_allows(strategy: Any) -> None:
    PairTarget.objects.bulk_create(PairTarget(tenant=n % 3, number=n) for n in range(1000))
    found = claim_rows(PairTarget.objects.filter(status=0), limit=1000, updates={"status": F("status") + 1})
    assert [one.pk for one in found] == sorted((n % 3, n) for n in range(1000))
    assert not PairTarget.objects.exclude(status=1).exists()


def test_keys_that_are_given_as_text_and_are_none(strategy: Any) -> None:
    Host.objects.bulk_create(Host(address=address) for address in ("10.0.0.2", "::1"))
    found = claimed(Host.objects.filter(status=0), status=F("status") + 1)
    assert sorted(one.address for one in found) == ["10.0.0.2", "::1"]


def test_names_that_have_to_be_quoted(strategy: Any) -> None:
    made = OddTarget.objects.bulk_create(OddTarget() for _ in range(3))
    found = claimed(OddTarget.objects.filter(status=0).order_by("-status", "-number"), 2)
    assert [one.number for one in found] == sorted((one.pk for one in OddTarget.objects.all()), reverse=True)[:2]
    assert len(made) - len(found) == 1


def test_generated_columns_show_what_was_written(strategy: Any) -> None:
    Computed.objects.bulk_create(Computed() for _ in range(2))
    assert [one.twice for one in claimed(Computed.objects.filter(twice=0, status=0), status=4)] == [8, 8]
    assert [one.twice for one in claimed(Computed.objects.filter(status=4).only("twice"), status=5)] == [10, 10]
    assert [one.status for one in claimed(Computed.objects.filter(status=5).defer("twice"), status=6)] == [6, 6]


def test_only_and_defer_leave_columns_away(targets: Any) -> None:
    (one,) = claimed(OPEN.only("label").order_by("priority"), 1)
    assert one.get_deferred_fields() == {field.attname for field in Target._meta.concrete_fields} - {"id", "label"}
    assert (one.status, one.priority) == (1, 0)
    (one,) = claimed(OPEN.defer("data", "campaign").order_by("priority"), 1, status=Value(2))
    assert one.get_deferred_fields() == {"data", "campaign_id"}
    assert one.campaign == targets[1].campaign


EMPTY = [
    Target.objects.none(),
    OPEN.none(),
    OPEN.filter(pk__in=[]),
    Target.objects.filter(status__in=[]),
    OPEN.filter(Exists(Line.objects.none())),
    OPEN.filter(campaign__in=Campaign.objects.none()),
    OPEN.filter(campaign__in=[]),
    OPEN.filter(Q(pk__in=[]) & Q(priority=3)),
]


def test_filters_that_nothing_can_match_give_nothing(targets: Any) -> None:
    for queryset in EMPTY:
        assert claim_rows(queryset, limit=1, updates={"status": 1}) == []
    assert not Target.objects.filter(status=1).exists()
