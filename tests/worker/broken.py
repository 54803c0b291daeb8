"""A strategy that the keeper can choose and no runner can claim by."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from django_simple_queue.backends import ClaimStrategy
from django_simple_queue.backends.compare_and_swap import CompareAndSwap


class Broken(CompareAndSwap):
    name = "broken"

    def take(self, spec: Any, limit: int) -> Any:
        if "holder = %(holder)s" in spec.write:  # a claim, and no promotion
            self._fall_over()
        return super().take(spec, limit)

    def _fall_over(self) -> NoReturn:
        os._exit(9)


assert issubclass(Broken, ClaimStrategy)
