from __future__ import annotations
from datetime import timedelta
import pytest
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django_simple_queue.backends.registry import _strategies
from django_simple_queue.claims import DbNow, claim_rows, lease, ClaimError
from .models import *

@pytest.fixture(params=["skip_locked", "row_lock", "exclusive", "compare_and_swap"])
def strategy(request, settings, transactional_db):
    if not any(s.fit(connection).ok for s in _strategies if s.name == request.param):
        pytest.skip("unfit")
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = request.param

@pytest.mark.django_db(transaction=True)
class TestKinds:
    def check(self, qs, updates, n=2, **given):
        got = claim_rows(qs, limit=n, updates=updates, **given)
        for one in got:
            fresh = type(one)._base_manager.get(pk=one.pk)
            for f in one._meta.concrete_fields:
                if f.attname in one.__dict__:
                    assert getattr(one, f.attname) == getattr(fresh, f.attname), f
        return got

    def test_all(self, strategy):
        on, off = Campaign.objects.create(), Campaign.objects.create(active=False)
        for i in range(6):
            t = Target.objects.create(campaign=[on, off, None][i % 3], priority=i, price="1.5", label=f"x{i}")
            Line.objects.create(target=t)
            UuidTarget.objects.create(); PairTarget.objects.create(tenant=1, number=i); OddTarget.objects.create(); Child.objects.create(); Computed.objects.create(); Heap.objects.create(place=-i)
        got = self.check(Target.objects.filter(status=0).order_by("-priority"), {"status": 1})
        assert [t.priority for t in got] == [5, 4]
        got = self.check(Target.objects.filter(status=0, campaign__active=True).order_by("campaign__rank", "-priority"), {"status": 1, "tries": F("tries") + 1}, 5)
        assert [(t.priority, t.tries) for t in got] == [(3, 1), (0, 1)]
        got = self.check(Target.objects.filter(Exists(Line.objects.filter(target=OuterRef("pk"), done=False)), status=0).exclude(priority=2).order_by("id"), {"status": 1, "data": {"a": 1}, "price": "2.25"}, 5)
        assert [t.priority for t in got] == [1]
        assert len(self.check(Target.objects.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow())).only("label"), {"lease_until": DbNow() + timedelta(minutes=5), "fence": F("fence") + 1}, 4)) == 4
        assert len(self.check(UuidTarget.objects.filter(status=0), {"status": 1}, 4)) == 4
        got = self.check(PairTarget.objects.filter(status=0), {"status": 1}, 4)
        assert [g.pk for g in got] == [(1, 0), (1, 1), (1, 2), (1, 3)]
        assert len(self.check(OddTarget.objects.filter(status=0), {"status": 1}, 4)) == 4
        assert len(self.check(Child.objects.filter(sent=False, status=0), {"sent": True}, 4)) == 4
        assert [g.twice for g in self.check(Computed.objects.filter(status=0), {"status": 4}, 1)] == [8]
        assert [g.place for g in self.check(Heap.objects.filter(status=0).order_by("place"), {"status": 4}, 2)] == [-5, -4]
        assert self.check(Heap.objects.none(), {"status": 4}) == []
        assert self.check(Heap.objects.filter(pk__in=[], status=0), {"status": 4}) == []
        with pytest.raises(ClaimError, match="given out again"):
            self.check(Heap.objects.filter(status__lt=9), {"status": 4})
        with transaction.atomic():
            assert len(self.check(Heap.objects.filter(status=0), {"status": 5}, 2)) == 2
            with pytest.raises(ClaimError, match="given out again"):
                self.check(Heap.objects.filter(status__lt=F("place") + 100), {"status": 4})
            assert Heap.objects.filter(status=4).count() == 2
            transaction.set_rollback(True)
        assert Heap.objects.filter(status=5).count() == 0

    def test_lease(self, strategy):
        with lease("a.b", 2) as held:
            assert held.fence == 1
            held.check()
            with transaction.atomic():
                held.confirm()
        with lease("a.b", 2) as held:
            assert held.fence == 2
