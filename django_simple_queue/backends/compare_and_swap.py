"""No lock at all: write and believe the row count. Right on every database."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from .base import ClaimStrategy, Fit
from .spec import ClaimSpec, Row

T = TypeVar("T")

SPREAD = 4  # candidates looked at for each row wanted, once rivals were met


class CompareAndSwap(ClaimStrategy):
    """Read candidates, then write each block of them where its guard still holds.

    A block that comes back short was partly taken by a rival: it is undone and halved until each row is ours or not.
    """

    name = "compare_and_swap"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.crowded = False  # a rival was met: start somewhere among the candidates, not at their head

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        return Fit(True, "compare-and-swap: no locks are needed, the row count of a guarded write decides")

    def take(self, spec: ClaimSpec, limit: int, *, row: Callable[[Row], T] = tuple) -> list[T]:  # type: ignore[assignment]
        if spec.prove or not self.session.own:
            return super().take(spec, limit, row=row)
        # Not tried again as a whole: what earlier blocks have won is ours by then, under a number that is known.
        return [row(found) for found in self._take(spec, limit)]

    def _around(self, spec: ClaimSpec) -> AbstractContextManager[None]:
        # All that is won, or none: nobody else knows which.
        return super()._around(spec) if spec.prove else self.session.transaction()

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        session = self.session
        look = spec.candidates(session, limit * SPREAD if self.crowded else limit)
        found = session.attempt(lambda: session.rows(look, spec.params))
        start = random.randrange(max(1, len(found) - limit + 1)) if self.crowded else 0
        looked = found[start : start + limit]
        wanted = spec.cut(looked)
        # A row that has become a solo one since we looked may not come with others.
        alone = bool(looked) and bool(looked[0][-1])
        taken = self._swap(spec if spec.solo is None or alone else spec.but(spec.solo), wanted)
        self.crowded = len(taken) < len(wanted)
        # As they were when they became ours: a rival may have held and changed them since we looked.
        return self._as_taken(spec, spec.keys_of(taken))
