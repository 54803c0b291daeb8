"""How many tasks to claim at once: many when they take microseconds, one when they take seconds."""

from __future__ import annotations

BATCH_SECONDS = 0.2  # of work in one batch, well below the second after which an unstarted claim is given back
LARGEST = 500


class Pace:
    """Follows how long tasks take."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self.usual: float | None = None  # seconds a task, lately

    def took(self, seconds: float) -> None:
        self.usual = seconds if self.usual is None else self.usual + 0.2 * (seconds - self.usual)
        if seconds > BATCH_SECONDS:
            self.usual = max(self.usual, seconds / 2)  # be careful at once, be bold again slowly

    def batch(self) -> int:
        """Tasks worth BATCH_SECONDS for each thread; one each while nothing is known of them."""
        if self.usual is None:
            return self.threads
        return max(self.threads, min(LARGEST, int(self.threads * BATCH_SECONDS / max(self.usual, 1e-6))))
