"""Several processes drain one table: no task twice, none left."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent import futures

from django.db import connection

from django_simple_queue.backends.registry import choose, names
from django_simple_queue.exceptions import StrategyError
from django_simple_queue.models import Task

from . import rivals
from .cases import TransitionCase

RIVALS = 4


class TestRaces(TransitionCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        given = connection.settings_dict
        names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
        cls.pool = futures.ProcessPoolExecutor(
            RIVALS,
            multiprocessing.get_context("spawn"),
            initializer=rivals.start,
            initargs=({name: given[name] for name in names},),
        )
        cls.addClassCleanup(cls.pool.shutdown)

    def race(self, strategies: list[str], count: int, batch: int) -> None:
        self.add(count)
        running = [
            self.pool.submit(rivals.drain, strategies[rival % len(strategies)], self.worker_id, rival, batch)
            for rival in range(RIVALS)
        ]
        shares = [future.result(timeout=60) for future in running]
        taken = Counter(task_id for share in shares for task_id in share)
        assert not [task_id for task_id, times in taken.items() if times > 1]
        assert len(taken) == count, f"{count - len(taken)} are left"
        assert Task.objects.filter(status=Task.PROGRESS, holder__isnull=False).count() == count
        Task.objects.all().delete()

    def strategies(self) -> list[str]:
        """The names of all that this database can run."""
        return [name for name in names() if self.can_run(name)]

    def can_run(self, name: str) -> bool:
        try:
            choose(connection, name)
        except StrategyError:
            return False
        return True

    def test_one_by_one(self) -> None:
        for name in self.strategies():
            with self.subTest(name):
                self.race([name], 300, 1)

    def test_seven_at_a_time(self) -> None:
        for name in self.strategies():
            with self.subTest(name):
                self.race([name], 1000, 7)

    def test_fifty_at_a_time(self) -> None:
        for name in self.strategies():
            with self.subTest(name):
                self.race([name], 2000, 50)

    def test_strategies_may_be_mixed_on_one_table(self) -> None:
        self.race(self.strategies(), 1000, 7)
