"""An order that joins other tables is locked, or refused, like a filter that does."""

from __future__ import annotations

import pytest

from django_simple_queue.claims import ClaimError, claim_rows
from tests.claims.models import Campaign, Line, Target

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_may_be_ordered_by_what_only_some_of_them_have() -> None:
    ranked = Target.objects.create(campaign=Campaign.objects.create(rank=5))
    Target.objects.create()
    waiting = Target.objects.filter(status=0).order_by("-campaign__rank", "id")
    claimed = claim_rows(waiting, limit=5, updates={"status": 1})
    assert len(claimed) == 2
    assert ranked in claimed


def test_an_order_that_gives_a_row_several_times_is_refused() -> None:
    target = Target.objects.create()
    Line.objects.bulk_create([Line(target=target), Line(target=target)])
    with pytest.raises(ClaimError, match="joins many rows"):
        claim_rows(Target.objects.filter(status=0).order_by("line__id"), limit=5, updates={"status": 1})
    assert Target.objects.get().status == 0
