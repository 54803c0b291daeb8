"""What comes back: instances as the database has them; and nothing that save() would do is done."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import models
from django.db.models import F, Prefetch, Value
from django.db.models.functions import Concat, Now
from django.db.models.signals import post_init, post_save, pre_save
from django.utils import timezone
from django.utils.safestring import mark_safe

from django_simple_queue.claims import DbNow, claim_rows

from .models import Campaign, Child, Line, Stamped, Target, Word
from .tools import assert_as_stored, loaded, statements

OPEN = Target.objects.filter(status=0)
LONG_AGO = datetime.datetime(2001, 2, 3, 4, 5, 6, 700000)
TOKEN = UUID(int=7)


class Label(models.TextChoices):
    TAKEN = "taken"


class Count(models.IntegerChoices):
    SEVEN = 7


class Loud(str):
    """Text of a project's own kind."""

    __slots__ = ()


VALUES: list[dict[str, Any]] = [
    {"label": Label.TAKEN, "tries": Count.SEVEN},
    {"label": Loud("taken")},
    {"label": mark_safe("<b>")},
    {"claimer": F("status"), "tries": F("status")},
    {"tries": F("tries") + 1, "label": Concat("label", Value("!"))},
    {"label": "it's 100%s \u00fc \U0001f40d", "tries": "7"},
    {"price": "2.255"},
    {"price": 2},
    {"price": Decimal("1E+2")},
    {"price": 1.1},
    {"price": F("price") / 3},
    {"data": {"a": [1, None, "%s", {"b": 2.5}]}},
    {"data": "text"},
    {"data": 5},
    {"data": True},
    {"lease_until": None},
    {"lease_until": DbNow()},
    {"lease_until": DbNow() + datetime.timedelta(days=400, microseconds=1)},
    {"lease_until": F("lease_until") - datetime.timedelta(hours=1)},
    {"claimer": True},
    {"claimer": None},
    {"campaign": None},
]
STAMPED: list[dict[str, Any]] = [
    {"secret": "abc"},
    {"day": datetime.datetime(2030, 1, 2, 12)},
    {"day": "2030-01-02"},
    {"took": datetime.timedelta(days=3, microseconds=5)},
    {"took": F("took")},
    {"share": 1},
    {"share": 0.1},
    {"token": TOKEN},
    {"token": TOKEN.hex},
    {"token": F("token")},
    {"by_id": "word"},
]


@pytest.fixture(params=[True, False], ids=["time zones", "no time zones"])
def zones(request: pytest.FixtureRequest, settings: Any, strategy: Any) -> bool:
    settings.USE_TZ = request.param
    return bool(request.param)


def test_instances_are_what_the_database_has(zones: bool) -> None:
    at = LONG_AGO.replace(tzinfo=datetime.timezone.utc) if zones else LONG_AGO
    Target.objects.create(lease_until=at, price="1.50", label="x", data={"a": 1}, campaign=Campaign.objects.create())
    other = Campaign.objects.create(rank=9)
    far = at.astimezone(datetime.timezone(datetime.timedelta(hours=5))) if zones else at
    more: list[dict[str, Any]] = [
        {"campaign": other},
        {"campaign_id": other.pk},
        {"lease_until": at},
        {"lease_until": far},
    ]
    for number, updates in enumerate(VALUES + more):
        queryset = Target.objects.filter(status=number)
        (found,) = claim_rows(queryset, limit=1, updates={**updates, "status": number + 1})
        assert len(loaded(found)) == len(Target._meta.concrete_fields), updates
        assert_as_stored([found])
    assert found.campaign == other


def test_values_that_are_stored_in_another_form(zones: bool) -> None:
    word = Word.objects.create(word="word", place=1)
    Stamped.objects.create(secret="secret", took=datetime.timedelta(hours=1), token=UUID(int=1))
    for number, updates in enumerate([*STAMPED, {"by": word}, {"by": None}]):
        queryset = Stamped.objects.filter(status=number)
        (found,) = claim_rows(queryset, limit=1, updates={**updates, "status": number + 1})
        assert_as_stored([found])
    assert found.secret == "abc"


def test_the_databases_clock_is_stored_as_django_stores_times(zones: bool) -> None:
    Target.objects.create()
    before = timezone.now()
    (found,) = claim_rows(OPEN, limit=1, updates={"status": 1, "lease_until": DbNow()})
    assert timezone.is_aware(found.lease_until) is zones
    assert abs(found.lease_until - before) < datetime.timedelta(minutes=5)
    assert Target.objects.filter(
        lease_until__lte=DbNow(), lease_until__gt=DbNow() - datetime.timedelta(minutes=5)
    ).exists()
    assert not Target.objects.filter(lease_until__gt=DbNow() + datetime.timedelta(minutes=5)).exists()


def test_nothing_is_saved_and_no_signal_sent(strategy: Any) -> None:
    row = Stamped.objects.create()
    sent: list[Any] = []

    def note(**given: Any) -> None:
        sent.append(given)

    for signal in (pre_save, post_save):
        signal.connect(note)
    try:
        (found,) = claim_rows(Stamped.objects.filter(status=0), limit=1, updates={"status": 1})
    finally:
        for signal in (pre_save, post_save):
            signal.disconnect(note)
    assert sent == []
    assert found.changed == row.changed  # auto_now


def test_a_found_instance_can_be_used_like_any_other(strategy: Any) -> None:
    target = Target.objects.create(campaign=Campaign.objects.create(rank=5))
    (found,) = claim_rows(OPEN.only("status"), limit=1, updates={"status": 1})
    assert (found._state.db, found._state.adding) == ("default", False)
    assert (found, found.campaign.rank, found.label) == (target, 5, "")
    found.label = "mine"
    found.save()
    assert Target.objects.get().label == "mine"
    found.delete()


@pytest.fixture
def with_lines(strategy: Any) -> None:
    campaign = Campaign.objects.create()
    for n in range(3):
        target = Target.objects.create(campaign=campaign, priority=n)
        Line.objects.bulk_create(Line(target=target, done=done) for done in (True, False))


def test_prefetch_related_is_done_after_the_claim(with_lines: None) -> None:
    done = Prefetch("line_set", Line.objects.filter(done=True), "done")
    with statements() as sent:
        found = claim_rows(OPEN.prefetch_related("campaign", "line_set", done), limit=2, updates={"status": 1})
    *claim, campaigns, lines, more_lines = [sql for sql in sent if "claims_" in sql]
    assert all("claims_target" in sql for sql in claim)
    assert ["claims_line" in sql for sql in (campaigns, lines, more_lines)] == [False, True, True]
    with statements() as sent:
        assert [(len(one.line_set.all()), len(one.done), one.campaign.active) for one in found] == [(2, 1, True)] * 2
    assert sent == []


def test_what_is_prefetched_may_go_on_from_what_was_before(with_lines: None) -> None:
    done = Prefetch("line_set", Line.objects.filter(done=True), "done")
    (found,) = claim_rows(OPEN.prefetch_related(done, "done__target"), limit=1, updates={"status": 1})
    assert found.done[0].target == found


def test_nothing_is_prefetched_for_no_rows(with_lines: None) -> None:
    claim_rows(OPEN, limit=9, updates={"status": 1})
    with statements() as sent:
        assert claim_rows(OPEN.prefetch_related("line_set"), limit=2, updates={"status": 1}) == []
    assert not any("claims_line" in sql for sql in sent)


def test_the_queryset_stays_what_it_was(with_lines: None) -> None:
    queryset = OPEN.filter(campaign__active=True).order_by("campaign__rank", "-priority")
    before = str(queryset.query)
    assert len(claim_rows(queryset, limit=2, updates={"status": 1})) == 2
    assert str(queryset.query) == before
    assert len(queryset) == 1
    assert len(claim_rows(queryset, limit=2, updates={"status": 1})) == 1  # evaluated before: asked again


def test_djangos_own_clock_can_be_written_too(strategy: Any) -> None:
    Target.objects.create()
    assert_as_stored(claim_rows(OPEN, limit=1, updates={"status": 1, "lease_until": Now()}))


def test_expressions_read_what_was_there_before(strategy: Any) -> None:
    Target.objects.create(status=3)
    updates = {"status": 4, "tries": F("status"), "fence": 9, "claimer": F("fence") + F("status")}
    (found,) = claim_rows(Target.objects.filter(status=3), limit=1, updates=updates)
    assert (found.status, found.tries, found.claimer) == (4, 3, 3)
    assert_as_stored([found])


def test_rows_of_which_no_instances_can_be_made_stay_in_the_filter(strategy: Any) -> None:
    """But where one statement has committed before there is anything to make them of."""

    def fail(**given: Any) -> None:
        raise RuntimeError("of the project's own")

    Target.objects.bulk_create(Target() for _ in range(3))
    Child.objects.create()
    for model, updates in ((Target, {"status": 1}), (Target, {"status": F("status") + 1}), (Child, {"sent": True})):
        queryset = model.objects.filter(status=0)
        if updates == {"sent": True}:
            queryset = model.objects.filter(sent=False)
        count = queryset.count()
        post_init.connect(fail, sender=model)
        try:
            with pytest.raises(RuntimeError, match="own"):
                claim_rows(queryset, limit=3, updates=updates)
        finally:
            post_init.disconnect(fail, sender=model)
        one_statement = strategy.__name__ == "SkipLockedReturning" and updates == {"status": 1}
        assert queryset.count() == (0 if one_statement else count)
        model.objects.update(**dict.fromkeys(updates, 0))
