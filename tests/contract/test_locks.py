"""What a claim that is not yet committed keeps others from: its own rows, and nothing else."""

from __future__ import annotations

from concurrent import futures

from django.db import connection

from django_simple_queue.backends import Session
from django_simple_queue.models import Task
from django_simple_queue.queue.workers import beat

from .cases import TransitionCase

SECONDS = 5  # a bound for what waits for nobody; lock timeouts are longer


class TestLocks(TransitionCase):
    def setUp(self) -> None:
        super().setUp()
        if not self.session.connection.features.has_select_for_update:
            self.skipTest("has_select_for_update: the whole database is locked")
        self.other = self.new_session()

    def meanwhile(self, work: object, *args: object, **given: object) -> object:
        """What another session gets while a claim is open."""
        with futures.ThreadPoolExecutor(1) as pool, self.session.transaction():
            self.held = self.claim(20, "q1")
            assert len(self.held) == 20
            return pool.submit(work, *args, **given).result(timeout=SECONDS)  # type: ignore[arg-type]

    def test_the_workers_own_row_is_free_for_its_beat(self) -> None:
        self.add(40, queue="q1")
        assert self.meanwhile(beat, self.other, self.worker_id) is True

    def test_tasks_may_be_added_to_the_same_queue(self) -> None:
        self.add(40, queue="q1")
        added = self.meanwhile(self.in_thread, lambda: self.add(1, queue="q1", rank=-5))
        self.assert_claimed(self.claim(1, "q1"), added)  # type: ignore[arg-type]

    def test_tasks_further_on_may_be_changed(self) -> None:
        tasks = self.add(40, queue="q1")
        assert self.meanwhile(self.in_thread, lambda: self.change(tasks[30:], args="changed")) is None

    def test_another_queue_may_be_claimed(self) -> None:
        self.add(40, queue="q1")
        (task,) = self.add(queue="q2")
        (found,) = self.meanwhile(self.claim, 5, "q2", session=self.other)  # type: ignore[misc]
        assert found.uuid == task.pk

    def test_no_more_rows_are_locked_than_claimed(self) -> None:
        count = LOCK_COUNTS[connection.vendor]
        for queue in ("q0", "q1"):
            self.add(300, queue=queue)
        with self.session.transaction():
            assert len(self.claim(20, "none", "q1")) == 20
            # Twice: in the claim index and in the primary key. One more of each: where the scan stopped.
            assert count(self.other, self.session) <= 2 * 21 + 2

    def in_thread(self, work: object) -> object:
        try:
            return work()  # type: ignore[operator]
        finally:
            connection.close()


def locked_in_innodb(session: Session, claiming: Session) -> int:
    ((transaction_id,),) = claiming.rows("SELECT CONNECTION_ID()")
    ((locked,),) = session.rows(
        "SELECT trx_rows_locked FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = %(id)s",
        {"id": transaction_id},
    )
    return int(locked)


def locked_in_postgresql(session: Session, claiming: Session) -> int:
    """Rows that a SKIP LOCKED of somebody else passes over."""
    table = Task._meta.db_table
    with session.transaction():
        free = len(session.rows(f"SELECT id FROM {table} FOR UPDATE SKIP LOCKED"))
    ((every,),) = session.rows(f"SELECT count(*) FROM {table}")
    return int(every) - free


LOCK_COUNTS = {"mysql": locked_in_innodb, "postgresql": locked_in_postgresql}
