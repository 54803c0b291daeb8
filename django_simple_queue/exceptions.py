"""Everything this package raises on purpose."""

from __future__ import annotations


class QueueError(Exception):
    """Base of this package's own errors."""


class TaskNotAllowedError(QueueError):
    """The callable is not one that this project lets its tasks run."""


class LeaseLost(QueueError):
    """A claim or lease is no longer ours: whoever held it may change nothing any more."""


class LeaseHeld(QueueError):
    """Somebody else has the lease."""


class TaskTimeout(TimeoutError):
    """Raised in a task that has run longer than its timeout. One that goes on all the same is killed soon after."""


class StrategyError(QueueError):
    """No such claim strategy, or one that this database cannot run."""


class DatabaseNotReady(QueueError):
    """The database answers but has not the tables of this version."""


class StillClaimable(QueueError):
    """What a claim wrote leaves the row where it could be claimed again; nothing was changed."""


class ClaimError(QueueError, ValueError):
    """Rows that cannot be claimed safely like this; the message says how they can."""
