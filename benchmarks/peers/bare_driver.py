"""The limit: claim and finish through the bare database driver, on this project's table, with no queue around them."""

from __future__ import annotations

from benchmarks.peers.django_simple_queue_ import DjangoSimpleQueue


class BareDriver(DjangoSimpleQueue):
    """It runs nothing: batches of rows are claimed and finished, as fast as the database goes."""

    name = "bare driver"
    configurations = {
        # Rows in a batch; which is best depends on the database.
        "batch 100": {"batch": 100},
        "batch 300": {"batch": 300},
        "batch 1000": {"batch": 1000},
    }
    measures = ("drain",)

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        batch = str(self.configurations[configuration]["batch"])
        return [self.command(configuration, batch, module="benchmarks.raw")] * processes
