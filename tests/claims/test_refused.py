"""What cannot be claimed safely is refused, with words that say how it can be, before any SQL is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import models
from django.db.models import Count, F, FilteredRelation, Prefetch, Q, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import Rank

from django_simple_queue.claims import ClaimError, claim_rows

from .models import Campaign, Child, Computed, Note, PairTarget, Post, Target, Word
from .tools import statements

OPEN = Target.objects.filter(status=0)
RANK = Window(Rank(), order_by="priority")
NO_MODELS = "values()/values_list() is not supported: model instances come back"
ANNOTATED = "annotations ['x'] would be computed before the update; use alias()"
RELATED = "select_related() is not supported; use prefetch_related()"
NOT_WRITTEN = "is a generated or non-concrete field and cannot be written"
MANY = "use Exists(...) so that a row matches once"
AGGREGATES = "aggregates and windows cannot be locked row by row; filter with Exists()/Subquery()"
ELSEWHERE = (
    "'status' lies in the table of Base (multi-table inheritance); claim Base.objects.filter(child__isnull=False)"
    " instead"
)

QUERYSETS: dict[str, tuple[Callable[[], Any], str]] = {
    "sliced": (lambda: OPEN[:3], "the queryset is sliced; give limit= instead"),
    "sliced from an offset": (lambda: OPEN[3:], "the queryset is sliced; give limit= instead"),
    "union": (lambda: OPEN.union(OPEN), "union() querysets cannot be claimed; filter with Q(...) | Q(...)"),
    "distinct": (OPEN.distinct, "distinct() cannot be locked row by row; filter with Exists(...)"),
    "values": (OPEN.values, NO_MODELS),
    "values_list": (lambda: OPEN.values_list("id"), NO_MODELS),
    "dates": (lambda: OPEN.datetimes("lease_until", "day"), "distinct() cannot be locked row by row"),
    "aggregate": (lambda: OPEN.annotate(n=Count("line")), AGGREGATES),
    "aggregate under an alias": (lambda: OPEN.alias(n=Count("line")).filter(n=0), AGGREGATES),
    "window": (lambda: OPEN.alias(place=RANK).filter(place=1), AGGREGATES),
    "annotation": (lambda: OPEN.annotate(x=F("priority")), ANNOTATED),
    "select_related": (lambda: OPEN.select_related("campaign"), RELATED),
    "select_related of all": (OPEN.select_related, RELATED),
    "extra where": (lambda: OPEN.extra(where=["1 = 1"]), "extra(...) is not supported"),
    "extra select": (lambda: OPEN.extra(select={"x": "1"}), "extra(...) is not supported"),
    "extra tables": (lambda: OPEN.extra(tables=["claims_line"]), "extra(...) is not supported"),
    "extra order": (lambda: OPEN.extra(order_by=["id"]), "extra(...) is not supported"),
    "locks": (OPEN.select_for_update, "drop select_for_update(): the strategy chooses the locks"),
    "many joined rows": (lambda: OPEN.filter(line__done=False), f"the filter joins many rows (line); {MANY}"),
    "many joined rows, none of them": (lambda: OPEN.filter(line=None), f"the filter joins many rows (line); {MANY}"),
    "many rows joined far away": (
        lambda: OPEN.filter(campaign__target__line__done=False),
        f"the filter joins many rows (line, target); {MANY}",
    ),
    "many joined rows of a many-to-many relation": (
        lambda: Post.objects.filter(status=0, topics__active=True), f"the filter joins many rows (Post_topics); {MANY}"
    ),
    "the same from its other side": (
        lambda: Campaign.objects.filter(post__status=0), f"the filter joins many rows (Post_topics); {MANY}"
    ),
    "many joined rows of a filtered relation": (
        lambda: OPEN.alias(open=FilteredRelation("line", condition=Q(line__done=False))).filter(open__isnull=False),
        f"the filter joins many rows (line); {MANY}",
    ),
    "ordered by many joined rows": (lambda: OPEN.order_by("line__done"), f"the filter joins many rows (line); {MANY}"),
    "ordered by many joined rows by its model": (
        lambda: Note.objects.filter(status=0),
        f"the filter joins many rows (remark); {MANY}",
    ),
}  # fmt: skip

UNSAFE = "conditions read {}: a claimed row would be given out again"
UPDATES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "none": (OPEN, {}, "updates is empty"),
    "another column": (
        OPEN, {"tries": 1}, f"updates write ['tries'], but the filter's own-table {UNSAFE}".format(["status"])
    ),
    "no filter": (Target.objects.all(), {"tries": 1}, UNSAFE.format([])),
    "only a joined filter": (Target.objects.filter(campaign__active=True), {"status": 1}, UNSAFE.format([])),
    "only a sub-select": (
        Target.objects.filter(campaign__in=Campaign.objects.all()), {"campaign": None}, UNSAFE.format([])
    ),
    "SQL of the project's own": (
        Target.objects.filter(RawSQL("status = %s", [0], models.BooleanField())),
        {"status": 1},
        UNSAFE.format([]),
    ),
    "primary key": (OPEN, {"id": 1}, "updates may not write the primary key ('id')"),
    "pk": (OPEN, {"status": 1, "pk": 1}, "updates may not write the primary key ('pk')"),
    "part of the primary key": (
        PairTarget.objects.filter(status=0), {"tenant": 1}, "updates may not write the primary key ('tenant')"
    ),
    "generated": (
        Computed.objects.filter(status=0), {"twice": 1}, f"'twice' {NOT_WRITTEN}"
    ),
    "a filter by what is generated": (
        Computed.objects.filter(twice=0),
        {"status": 1},
        f"{UNSAFE.format(['twice'])}; ['twice'] are generated: filter by a column that is written as well",
    ),
    "of another table": (OPEN, {"line": 1}, f"'line' {NOT_WRITTEN}"),
    "of the parent": (Child.objects.filter(status=0), {"status": 1}, ELSEWHERE),
}  # fmt: skip


@pytest.fixture
def silent(database: None) -> Iterator[None]:
    """No statement is sent in this test."""
    with statements() as sent:
        yield
    assert sent == []


@pytest.mark.parametrize("why", QUERYSETS)
def test_querysets_that_cannot_be_locked_row_by_row(silent: None, why: str) -> None:
    make, words = QUERYSETS[why]
    with pytest.raises(ClaimError) as raised:
        claim_rows(make(), limit=1, updates={"status": 1})
    assert str(raised.value).startswith(f"claim_rows(): {words}")


@pytest.mark.parametrize("why", UPDATES)
def test_updates_that_leave_a_row_in_the_filter_or_cannot_be_written(silent: None, why: str) -> None:
    queryset, updates, words = UPDATES[why]
    with pytest.raises(ClaimError) as raised:
        claim_rows(queryset, limit=1, updates=updates)
    assert str(raised.value).startswith("claim_rows(): ")
    assert str(raised.value).endswith(words)


@pytest.mark.parametrize("limit", [0, -1, 1001, True, "3", 2.0, None])
def test_limits_that_are_no_whole_number_from_1_to_1000(silent: None, limit: Any) -> None:
    with pytest.raises(ClaimError) as raised:
        claim_rows(OPEN, limit=limit, updates={"status": 1})
    assert str(raised.value) == f"claim_rows(): limit must be a whole number from 1 to 1000, not {limit!r}"


@pytest.mark.parametrize("given", [Target, Target.objects, [], None], ids=["model", "manager", "list", "nothing"])
def test_what_is_no_queryset(silent: None, given: Any) -> None:
    with pytest.raises(TypeError, match=r"claim_rows\(\) needs a QuerySet, not "):
        claim_rows(given, limit=1, updates={"status": 1})


def test_names_and_values_that_django_does_not_know(silent: None) -> None:
    with pytest.raises(FieldDoesNotExist, match="nothing"):
        claim_rows(OPEN, limit=1, updates={"nothing": 1})
    with pytest.raises(FieldError, match="Joined field references are not permitted"):
        claim_rows(OPEN, limit=1, updates={"status": F("campaign__rank")})
    with pytest.raises(FieldError, match="Aggregate functions are not allowed"):
        claim_rows(OPEN, limit=1, updates={"status": Count("id")})
    with pytest.raises(FieldError, match="Cannot resolve keyword 'more'"):
        claim_rows(OPEN.alias(more=F("tries") + 1), limit=1, updates={"status": F("more")})
    with pytest.raises(ValueError, match="expected a number"):
        claim_rows(OPEN, limit=1, updates={"status": "x"})
    with pytest.raises(TypeError, match=r"model instance, <Campaign"):
        claim_rows(OPEN, limit=1, updates={"status": Campaign(pk=1)})


@pytest.mark.parametrize(
    "name", ["nothing", "nothing__line", Prefetch("nothing", to_attr="done")], ids=["it", "far", "as"]
)
def test_what_cannot_be_prefetched(silent: None, name: Any) -> None:
    with pytest.raises(AttributeError, match="Cannot find 'nothing' on Target object"):
        claim_rows(OPEN.prefetch_related("line_set", name), limit=1, updates={"status": 1})


def test_many_joined_rows_of_a_generic_relation(database: None) -> None:
    with pytest.raises(ClaimError, match=r"the filter joins many rows \(stickers\)"):
        claim_rows(Post.objects.filter(status=0, stickers__object_id=1), limit=1, updates={"status": 1})


def test_it_is_a_value_error_too(silent: None) -> None:
    with pytest.raises(ValueError, match="updates is empty"):
        claim_rows(OPEN, limit=1, updates={})


def test_a_condition_on_either_of_two_tables_is_no_guard(silent: None) -> None:
    with pytest.raises(ClaimError, match="given out again"):
        claim_rows(Target.objects.filter(Q(status=0) | Q(campaign__active=True)), limit=1, updates={"status": 1})


def test_a_limit_may_be_as_large_as_1000(database: None) -> None:
    Word.objects.create(word="a", place=1)
    assert len(claim_rows(Word.objects.filter(status="new"), limit=1000, updates={"status": "taken"})) == 1
