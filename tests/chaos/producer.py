"""Enqueues tasks all the time, in transactions of which some are rolled back."""

from __future__ import annotations

import random
import threading
import time

from django.db import Error, connection, transaction

from django_simple_queue import create_task

KINDS = ["span", "span", "span", "yields", "fails_once", "adds_one"]


class Producer(threading.Thread):
    """Remembers what was committed, and what may have been: a commit whose answer was lost."""

    def __init__(self, seed: int, counter: int, atomic: bool) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.counter = counter
        self.kinds = KINDS if atomic else KINDS[:-1]
        self.committed: list[tuple[str, str]] = []  # key, kind
        self.unknown: list[tuple[str, str]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            batch = []
            for _ in range(self.random.randint(1, 12)):
                number += 1
                batch.append((f"t{number}", self.random.choice(self.kinds)))
            self._add(batch, rolled_back=self.random.random() < 0.1)
            time.sleep(self.random.uniform(0.02, 0.2))
        connection.close()

    def _add(self, batch: list[tuple[str, str]], rolled_back: bool) -> None:
        sent = False
        try:
            with transaction.atomic():
                for key, kind in batch:
                    longest = 0.06 if self.random.random() < 0.9 else 1.0  # so that most deaths find something running
                    args: dict[str, object] = {"key": key, "seconds": round(self.random.uniform(0, longest), 3)}
                    if kind == "adds_one":
                        args["row"] = self.counter
                    create_task(
                        f"tests.jobs.chaos.{kind}",
                        args,
                        priority=self.random.choice([-5, 0, 0, 7]),
                        queue=self.random.choice(["default", "other"]),
                        unique_key=key if self.random.random() < 0.1 else None,
                    )
                if rolled_back:
                    raise RolledBack
                sent = True
            self.committed += batch
        except RolledBack:
            pass
        except Error:
            if sent:
                self.unknown += batch
            connection.close()
            time.sleep(0.2)


class RolledBack(Exception):
    pass
