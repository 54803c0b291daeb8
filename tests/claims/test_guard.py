"""What every write checks again: the filter's conditions on the table's own columns, which the updates make false."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.db.models import BooleanField, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact

from django_simple_queue.claims import ClaimError, DbNow, claim_rows
from django_simple_queue.claims.compiled import compiled

from .models import Campaign, Line, PairTarget, Stamped, Target, Word
from .tools import Rival, assert_as_stored, statements, waits

ALL = Target.objects.all()
OPEN = Target.objects.filter(status=0)
NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
LATER = NOW + timedelta(minutes=5)
TOKEN = UUID(int=7)
BERLIN = "Europe/Berlin"
# The clocks there went from 3:00 back to 2:00 between them.
FIRST_TIME = datetime(2030, 10, 27, 2, 30, tzinfo=ZoneInfo(BERLIN))
SECOND_TIME = datetime(2030, 10, 27, 2, 15, tzinfo=ZoneInfo(BERLIN), fold=1)
STILL_INSIDE = "the updates leave claimed rows inside the filter"


class Unlike(Exact):
    """A lookup of a project's own, which is no Exact although Exact is what it is made of."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return f"NOT ({sql})", params


# Queryset, updates: values that make the filter false in every database.
PROVED: list[tuple[Any, dict[str, Any]]] = [
    (OPEN, {"status": 1}),
    (OPEN, {"status": True}),
    (OPEN.filter(campaign__active=True), {"status": 1, "tries": F("tries") + 1}),
    (OPEN.filter(Exists(Line.objects.filter(target=OuterRef("pk")))), {"status": 1}),
    (ALL.filter(status__in=[0, 3]), {"status": 1}),
    (ALL.filter(status__lt=3), {"status": 3}),
    (ALL.filter(status__lte=3), {"status": 4}),
    (ALL.filter(status__gt=3), {"status": 3}),
    (ALL.filter(status__gte=3), {"status": 2}),
    (ALL.filter(claimer=None), {"claimer": 7}),
    (ALL.filter(claimer__isnull=False), {"claimer": None}),
    (ALL.filter(claimer=7), {"claimer": None}),
    (ALL.filter(claimer__lt=7), {"claimer": None}),
    (ALL.filter(claimer__in=[7]), {"claimer": None}),
    (ALL.filter(campaign=None), {"campaign_id": 5}),
    (ALL.filter(campaign=5), {"campaign": Campaign(pk=6)}),
    (ALL.filter(label="new"), {"label": "taken"}),
    (ALL.filter(label="new"), {"label": ""}),
    (ALL.filter(label__in=["new", "old"]), {"label": "taken"}),
    (ALL.filter(lease_until__lt=NOW), {"lease_until": LATER}),
    (ALL.filter(lease_until__lt=NOW), {"lease_until": NOW}),
    (ALL.filter(lease_until__lt=FIRST_TIME), {"lease_until": SECOND_TIME}),
    (ALL.filter(lease_until=FIRST_TIME), {"lease_until": FIRST_TIME.replace(fold=1)}),
    (Stamped.objects.filter(day=date(2030, 1, 1)), {"day": date(2030, 1, 2)}),
    (Stamped.objects.filter(token=TOKEN), {"token": UUID(int=8)}),
    (Stamped.objects.filter(token=TOKEN), {"token": str(UUID(int=8))}),
    (PairTarget.objects.filter(pk=(1, 2), status=0), {"status": 1}),
]

# What may be false or not: in some database, or for some row.
NOT_PROVED: list[tuple[Any, dict[str, Any]]] = [
    (OPEN, {"status": 0}),
    (OPEN, {"status": F("status") + 1}),
    (OPEN, {"status": Value(1)}),
    (ALL.exclude(status=1), {"status": 1}),
    (ALL.filter(Q(status=0) | Q(claimer=None)), {"status": 1}),
    (ALL.filter(status=F("fence")), {"status": 1}),
    (ALL.filter(status__in=[0, 1]), {"status": 1}),
    (ALL.filter(status__in=[0, F("fence")]), {"status": 1}),
    (ALL.filter(status__range=(0, 3)), {"status": 4}),
    (ALL.filter(status__lt=3), {"status": 2}),
    (ALL.filter(label="new"), {"label": "NEW"}),
    (ALL.filter(label="new"), {"label": "new  "}),
    (ALL.filter(label="new"), {"label": "nëw"}),
    (ALL.filter(label="æ"), {"label": "ae"}),
    (ALL.filter(label="o"), {"label": "ø"}),
    (ALL.filter(label="\U0001f40d"), {"label": "\U0001f42b"}),
    (ALL.filter(label="in_work"), {"label": "in-work"}),
    (ALL.filter(label__startswith="new"), {"label": "taken"}),
    (ALL.alias(low=Lower("label")).filter(low="new"), {"label": "taken"}),
    (ALL.filter(price="1.00"), {"price": Decimal("1.004")}),
    (ALL.filter(data={"kind": 1}), {"data": {}}),
    (ALL.filter(data__kind=1), {"data": {}}),
    (ALL.filter(lease_until__lt=DbNow()), {"lease_until": LATER}),
    (ALL.filter(lease_until__date=date(2030, 1, 1)), {"lease_until": NOW + timedelta(days=2)}),
    (ALL.filter(Unlike(F("status"), Value(1))), {"status": 1}),
    (Stamped.objects.filter(share__lt=0.1), {"share": 0.1}),
    (Stamped.objects.filter(tens=11), {"tens": 12}),
    (Stamped.objects.filter(tens__in=[11]), {"tens": 12}),
    (Stamped.objects.filter(tens__gt=11), {"tens": 10}),
    (Stamped.objects.filter(shelf=11), {"shelf_id": 12}),
    (ALL.filter(lease_until__lt=SECOND_TIME), {"lease_until": FIRST_TIME}),
]


def needs_proof(queryset: Any, updates: dict[str, Any]) -> bool:
    return compiled(queryset, updates, "default").spec.prove


def test_plain_values_prove_themselves(database: None) -> None:
    for queryset, updates in PROVED:
        assert not needs_proof(queryset, updates), (str(queryset.query), updates)


def test_what_may_depend_on_the_row_or_the_database_is_proved_on_the_rows(database: None) -> None:
    for queryset, updates in NOT_PROVED:
        assert needs_proof(queryset, updates), (str(queryset.query), updates)


def test_a_lookup_of_the_projects_own_proves_nothing(database: None) -> None:
    field = Target._meta.get_field("status")
    field.register_lookup(Unlike, "unlike")
    try:
        assert needs_proof(ALL.filter(status__unlike=1), {"status": 2})
    finally:
        field._unregister_lookup(Unlike, "unlike")


def test_a_field_of_the_projects_own_proves_nothing(strategy: Any) -> None:
    Stamped.objects.create(tens=11)
    with pytest.raises(ClaimError, match=STILL_INSIDE):
        claim_rows(Stamped.objects.filter(tens=11), limit=1, updates={"tens": 12})
    assert len(claim_rows(Stamped.objects.filter(tens=11), limit=1, updates={"tens": 20})) == 1


@pytest.fixture
def targets(strategy: Any) -> list[Target]:
    """Five, by priority."""
    Target.objects.bulk_create(Target(priority=n, label="new") for n in range(5))
    return list(Target.objects.order_by("priority"))


CHANGES: list[tuple[Any, dict[str, Any], bool]] = [
    (OPEN, {"status": F("status") + 1}, True),
    (OPEN, {"status": F("status") * 2}, False),
    (OPEN, {"status": 0}, False),
    (OPEN, {"status": Value(1)}, True),
    (ALL.exclude(status=1), {"status": 1}, True),
    (ALL.exclude(status=1), {"status": 2}, False),
    (ALL.filter(Q(status=0) | Q(claimer=None)), {"status": 1}, False),
    (ALL.filter(Q(status=0) | Q(claimer=None)), {"status": 1, "claimer": 1}, True),
    (ALL.filter(status=F("fence")), {"fence": F("fence") + 1}, True),
    (ALL.filter(status=F("fence")), {"fence": F("status")}, False),
    (ALL.filter(status__range=(0, 3)), {"status": 3}, False),
    (ALL.filter(status__range=(0, 3)), {"status": 4}, True),
    (ALL.filter(label__startswith="n"), {"label": "nothing"}, False),
    (ALL.filter(label__startswith="n"), {"label": "taken"}, True),
    (ALL.filter(price="0.00"), {"price": Decimal("0.01")}, True),
    (ALL.filter(data={}), {"data": {}}, False),
    (ALL.filter(data={}), {"data": {"kind": 1}}, True),
    (ALL.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow())), {"lease_until": DbNow() - timedelta(1)}, False),
    (ALL.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow())), {"lease_until": DbNow() + timedelta(1)}, True),
]  # fmt: skip


def test_what_stays_in_the_filter_is_rolled_back(targets: list[Target]) -> None:
    for queryset, updates, leaves in CHANGES:
        given = str(queryset.query), updates
        before = list(ALL.order_by("id").values())
        if leaves:
            found = claim_rows(queryset.order_by("priority"), limit=2, updates=updates)
            assert found == targets[:2], given
            assert_as_stored(found)
            Target.objects.update(status=0, claimer=None, fence=0, label="new", price=0, data={}, lease_until=None)
        else:
            with pytest.raises(ClaimError, match=STILL_INSIDE):
                claim_rows(queryset, limit=2, updates=updates)
        assert list(ALL.order_by("id").values()) == before, given


def test_some_rows_that_stay_in_the_filter_are_enough(targets: list[Target]) -> None:
    Target.objects.filter(priority=3).update(tries=-1)
    with pytest.raises(ClaimError, match=STILL_INSIDE):
        claim_rows(ALL.filter(status=F("fence")), limit=5, updates={"fence": F("tries") + 1})
    assert not ALL.exclude(fence=0).exists()


def test_in_the_callers_transaction_only_the_claim_is_rolled_back(targets: list[Target]) -> None:
    with transaction.atomic():
        Target.objects.filter(priority=4).update(tries=9)
        with pytest.raises(ClaimError, match=STILL_INSIDE):
            claim_rows(OPEN, limit=2, updates={"status": F("status")})
        assert len(claim_rows(OPEN, limit=2, updates={"status": F("status") + 1})) == 2
    assert ALL.filter(tries=9).count() == 1
    assert ALL.filter(status=1).count() == 2


def test_a_savepoint_is_made_only_where_something_may_be_rolled_back(targets: list[Target], strategy: Any) -> None:
    with transaction.atomic(), statements() as sent:
        claim_rows(OPEN, limit=1, updates={"status": 1})
        if strategy.__name__ != "CompareAndSwap":
            assert not any("SAVEPOINT" in sql for sql in sent)
        sent.clear()
        claim_rows(OPEN, limit=1, updates={"status": F("status") + 1})
        assert sent[0].startswith("SAVEPOINT")
        assert any(sql.startswith("RELEASE") for sql in sent)


# Whether it is still the same, to the database.
ALIKE: list[tuple[str, Any, Any]] = [
    ("label", "new", "NEW"),
    ("label", "new", "n\u00ebw"),
    ("label", "\U0001f40d", "\U0001f42b"),
    ("price", "1.00", Decimal("1.001")),
    ("price", "1.00", "1.001"),
]


def test_whether_a_value_is_the_same_is_asked_of_the_database(targets: list[Target]) -> None:
    for name, old, new in ALIKE:
        Target.objects.update(**{name: old})
        one = Target.objects.order_by("priority").first()
        Target.objects.filter(pk=one.pk).update(**{name: new})
        alike = Target.objects.filter(pk=one.pk, **{name: old}).exists()
        queryset = Target.objects.filter(**{name: old})
        if alike:
            with pytest.raises(ClaimError, match=STILL_INSIDE):
                claim_rows(queryset, limit=9, updates={name: new})
            assert queryset.count() == 5, (name, new)
        else:
            found = claim_rows(queryset, limit=9, updates={name: new})
            assert len(found) == 4, (name, new)
            assert_as_stored(found)


def test_updates_may_look_into_other_tables(targets: list[Target]) -> None:
    Campaign.objects.create(rank=7)
    rank = Subquery(Campaign.objects.filter(active=True).values("rank")[:1])
    found = claim_rows(OPEN.order_by("-priority"), limit=2, updates={"status": 1, "claimer": rank})
    assert [(one.priority, one.claimer) for one in found] == [(4, 7), (3, 7)]
    assert_as_stored(found)


def test_an_unguarded_part_of_the_filter_only_chooses(targets: list[Target]) -> None:
    """A rival that has changed what is joined or looked into keeps no row from being written."""
    flag = Exists(Campaign.objects.filter(active=True), output_field=BooleanField())
    assert claim_rows(OPEN.filter(flag), limit=1, updates={"status": 1}) == []
    Campaign.objects.create()
    assert len(claim_rows(OPEN.filter(flag), limit=1, updates={"status": 1})) == 1


def test_django_alone_gives_one_row_to_two_and_this_does_not(strategy: Any, rival: Rival, other_rival: Rival) -> None:
    """A joined update() becomes a sub-select or a list of ids, which nobody looks at again."""
    target = Target.objects.create(campaign=Campaign.objects.create())
    mine = Target.objects.filter(pk=target.pk, status=0, campaign__active=True)
    counts = race(rival, other_rival, lambda: mine.all().update(status=1))
    features = connection.features
    if features.has_select_for_no_key_update or not features.update_can_self_select:
        assert counts == [1, 1]  # PostgreSQL, MySQL
    Target.objects.update(status=0)
    taken = race(rival, other_rival, lambda: len(claim_rows(mine.all(), limit=1, updates={"status": 1})))
    assert taken == [1, 0]


def race(first: Rival, second: Rival, work: Any) -> list[int]:
    """What each gets, when the second begins before the first has committed."""
    with first.holding(work) as one:
        other = second.start(work)
        waits(other)
    return [one, other.result(30)]


def test_words_are_claimed_by_text_that_differs(strategy: Any) -> None:
    Word.objects.create(word="a", place=1)
    with statements() as sent:
        assert len(claim_rows(Word.objects.filter(status="new"), limit=1, updates={"status": "taken"})) == 1
    assert sum("claims_word" in sql for sql in sent) <= 3
