"""Who is measured. Another queue is one more class here, with the databases that it runs on."""

from __future__ import annotations

from typing import Protocol

from django.db import connection

from benchmarks import measures, raw


class Way(Protocol):
    """One way of working off a backlog on the default database. `measure` leaves nothing behind."""

    name: str
    vendors: tuple[str, ...]

    def measure(self, tasks: int) -> dict[str, float]:
        """Figures by name, each measured once: "drain /s", and of the others those that it has."""


class BareDriver:
    """The limit: the same claim and finish in batches of 100, with nothing around them."""

    name = "bare driver"
    vendors = ("sqlite", "postgresql", "mysql")

    def measure(self, tasks: int) -> dict[str, float]:
        measures.fill(tasks)
        return {"drain /s": raw.drain(connection)}


class Ours:
    name = "django_simple_queue"
    vendors = ("sqlite", "postgresql", "mysql")

    def measure(self, tasks: int) -> dict[str, float]:
        return (
            measures.drain(tasks)
            | {"enqueue one by one /s": measures.one_by_one(max(50, tasks // 20))}
            | measures.latency(20)
        )


WAYS: list[Way] = [BareDriver(), Ours()]


def ways() -> list[Way]:
    """Those that this database can have."""
    return [way for way in WAYS if connection.vendor in way.vendors]
