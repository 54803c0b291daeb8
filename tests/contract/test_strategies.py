"""The contract, for each strategy that comes with the package, on the database of this run."""

from __future__ import annotations

from unittest import SkipTest

from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.backends.exclusive import Exclusive
from django_simple_queue.backends.row_lock import RowLock
from django_simple_queue.backends.skip_locked import SkipLocked, SkipLockedReturning
from django_simple_queue.testing.contract import StrategyContract

from .cases import DatabaseCase


class BuiltIn(StrategyContract):
    """A strategy of ours, with the feature flags on which it depends."""

    flags: dict[str, bool] = {}

    def setUp(self) -> None:
        try:
            super().setUp()
        except SkipTest:
            features = self.session.connection.features
            wrong = [name for name, wanted in self.flags.items() if getattr(features, name) is not wanted]
            assert wrong, "the flags allow it, but it says that it does not fit"
            raise SkipTest(f"{' and '.join(wrong)}: not {self.flags[wrong[0]]}") from None


class TestSkipLockedReturning(BuiltIn, DatabaseCase):
    strategy_class = SkipLockedReturning
    flags = {"has_select_for_update_skip_locked": True, "has_select_for_no_key_update": True}
    rivals_wait = False


class TestSkipLocked(BuiltIn, DatabaseCase):
    strategy_class = SkipLocked
    flags = {"has_select_for_update_skip_locked": True}
    rivals_wait = False


class TestRowLock(BuiltIn, DatabaseCase):
    strategy_class = RowLock
    flags = {"has_select_for_update": True}
    rivals_wait = True


class TestExclusive(BuiltIn, DatabaseCase):
    strategy_class = Exclusive
    flags = {"has_select_for_update": False}
    rivals_wait = True


class TestCompareAndSwap(BuiltIn, DatabaseCase):
    strategy_class = CompareAndSwap
    rivals_wait = True
