"""Which strategy an alias gets, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.utils.module_loading import import_string

from ..conf import get_settings
from ..exceptions import StrategyError
from .base import ClaimStrategy
from .compare_and_swap import CompareAndSwap
from .exclusive import Exclusive
from .row_lock import RowLock
from .session import Session
from .skip_locked import SkipLocked, SkipLockedReturning

# In order of preference: the first that fits is taken.
_strategies: list[type[ClaimStrategy]] = [SkipLockedReturning, SkipLocked, RowLock, Exclusive, CompareAndSwap]


class Choice(NamedTuple):
    """A strategy for an alias, why it was taken, and why each one before it was not."""

    strategy: type[ClaimStrategy]
    why: str
    passed_over: dict[str, str]


def register(strategy: type[ClaimStrategy]) -> type[ClaimStrategy]:
    """Offer a strategy before all built-in ones; it is taken where its fit() says so. Usable as a decorator."""
    if strategy not in _strategies:
        _strategies.insert(0, strategy)
    return strategy


def unregister(strategy: type[ClaimStrategy]) -> None:
    _strategies.remove(strategy)


def names() -> list[str]:
    return list(dict.fromkeys(s.name for s in _strategies))


def choose(connection: Any, wanted: str = "auto") -> Choice:
    """The strategy for a connection: the first that fits, or the one that is wanted by name or dotted class path.

    Raises StrategyError if there is none of that name or the database cannot run it.
    """
    offered = [s for s in _strategies if wanted in ("auto", s.name)] or [_imported(wanted)]
    passed_over: dict[str, str] = {}
    for strategy in offered:
        fit = strategy.fit(connection)
        if fit.ok:
            passed_over.pop(strategy.name, None)
            return Choice(strategy, fit.why if wanted == "auto" else f"asked for; {fit.why}", passed_over)
        passed_over[strategy.name] = fit.why
    raise StrategyError(
        f"Claim strategy {wanted!r} cannot run on database {connection.alias!r}: {'; '.join(passed_over.values())}."
        f" Leave DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY and --strategy away to have one chosen."
    )


def _imported(path: str) -> type[ClaimStrategy]:
    try:
        found = import_string(path)
    except ImportError as error:
        raise StrategyError(
            f"There is no claim strategy {path!r} ({error}). There are {', '.join(names())}, or a class's dotted path."
        ) from None
    if not (isinstance(found, type) and issubclass(found, ClaimStrategy)):
        raise StrategyError(f"{path!r} is no subclass of django_simple_queue.backends.ClaimStrategy.")
    return found


def get_strategy(
    using: str = DEFAULT_DB_ALIAS, *, session: Session | None = None, wanted: str | None = None
) -> ClaimStrategy:
    """The strategy for an alias, on the calling thread's connection or on `session`."""
    session = session or Session(using)
    choice = choose(session.connection, wanted or get_settings().strategy_for(session.alias))
    return choice.strategy(session, choice.why)
