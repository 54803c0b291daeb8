"""Who is dead: a worker whose beats did not move during one whole lease that was watched from here."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..backends.base import ClaimStrategy
from ..queue import rescue, workers
from ..records import worker_of
from .board import clock

logger = logging.getLogger("django_simple_queue")


class Watch:
    """Compares no clocks: only how often another one beat while our own beats succeeded."""

    def __init__(self, strategy: ClaimStrategy, lease: float, heartbeat: float) -> None:
        self.strategy, self.session = strategy, strategy.session
        self.lease, self.heartbeat = int(lease * 1e9), int(heartbeat * 1e9)
        self.since: dict[int, tuple[int, int]] = {}  # worker id: its beats, and since when they have not moved
        self.last_beat = 0
        self.stale_ones = False

    def look(self, own_id: int, beat_sent: int, held: Iterable[int]) -> bool:
        """After each own beat, sent at `beat_sent`: watch the others, rescue what dead or missing ones hold.

        `held`: the numbers under which anything is held, read before. True if anything was taken back.
        """
        if self.last_beat and beat_sent - self.last_beat > 2 * self.heartbeat:
            self.since.clear()  # we were late ourselves: whatever held us up may have held them up too
        self.last_beat = beat_sent
        held_by = {worker_of(number) for number in held}
        seen = workers.everybody(self.session, self.lease / 1e9)
        seen_at = clock()  # the beats that were seen had been sent by then, perhaps after ours
        others = [worker for worker in seen if worker.alive and worker.id != own_id]
        alive = {own_id}
        for worker in others:
            beats, since = self.since.get(worker.id, (-1, 0))
            if worker.beats != beats:
                self.since[worker.id] = (worker.beats, seen_at)
            elif beat_sent - since >= self.lease and workers.declare_dead(self.session, worker.id, worker.beats):
                logger.warning("Worker %s has not beaten for a lease: its tasks are taken back.", worker.name)
                continue
            alive.add(worker.id)
        self.since = {key: value for key, value in self.since.items() if key in alive}
        rescued = 0
        for worker_id in held_by - alive:
            count = rescue.rescue_worker(self.strategy, worker_id, f"Worker {worker_id} died while it held this task")
            rescued += count
            if count:
                logger.warning("%d tasks of dead worker %d were taken back.", count, worker_id)
        for worker in seen:
            if worker.id not in alive:
                workers.forget(self.session, worker.id)
        self.stale_ones = any(worker.stale and worker.id in held_by for worker in others)
        return rescued > 0

    def ends_in(self) -> float:
        """Seconds until somebody has been watched for a whole lease: the next beat is due by then."""
        ends = (since + self.lease - clock() for _, since in self.since.values())
        return max(0, min(ends, default=self.lease)) / 1e9

    def others_hold(self) -> bool:
        """A worker that seems dead holds tasks: a burst stays until it is known."""
        return self.stale_ones
