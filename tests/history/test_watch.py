"""Whose lease it is that runs out: the watch begins once a beat was seen, not when one's own was sent before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_simple_queue.backends import OwnSession, get_strategy
from django_simple_queue.queue import workers
from django_simple_queue.worker.board import clock
from django_simple_queue.worker.watch import Watch

LEASE = 60.0
LEASE_NS = int(LEASE * 1e9)


@pytest.fixture
def session(transactional_db: None) -> Iterator[OwnSession]:
    session = OwnSession()
    yield session
    session.close()


def test_a_worker_that_beat_while_the_look_was_under_way_keeps_its_whole_lease(session: OwnSession) -> None:
    own, other = (workers.register(session, name=name, host="", pid=0, runs="") for name in ("own", "other"))
    watch = Watch(get_strategy(session=session), LEASE, LEASE)
    sent = clock()
    assert workers.beat(session, own)
    assert workers.beat(session, other)  # after ours: its lease ends after `sent` and a lease
    watch.look(own, sent, [])
    assert LEASE - 5 < watch.ends_in() <= LEASE
    watch.look(own, sent + LEASE_NS, [])
    assert [seen.id for seen in workers.alive(session, LEASE)] == [own, other]
    watch.look(own, clock() + LEASE_NS, [])
    assert [seen.id for seen in workers.alive(session, LEASE)] == [own]
