"""How a runner gets its tasks: a number on the board, the claim, the batch on the board."""

from __future__ import annotations

import threading
import time
from functools import cached_property

from django.db import Error

from ..backends import ClaimStrategy, get_strategy
from ..backends.errors import Trouble, trouble
from ..conf import get_settings
from ..queue.claim import Claimer, claim
from ..records import Claim
from . import board as b
from .options import Options
from .pace import Pace
from .patience import Patience


class Intake:
    def __init__(
        self,
        options: Options,
        board: b.Board,
        page: b.Page,
        patience: Patience,
        pace: Pace,
        lock: threading.RLock,
    ) -> None:
        self.options, self.board, self.page = options, board, page
        self.patience, self.session, self.pace, self.lock = patience, patience.session, pace, lock
        self.timeout = get_settings().task_timeout

    @cached_property
    def strategy(self) -> ClaimStrategy:
        """Chosen at the first claim: the keeper has then found that there is one, or has said why not."""
        return self.patience.ride_out(lambda: get_strategy(session=self.session, wanted=self.options.strategy))

    def claim(self, ran: int) -> list[tuple[int, Claim]]:
        """A batch and the slots that show it; nothing if there is nothing, or if the lease has run out."""
        page = self.page
        worker_id, deadline = self.board.control[b.C_WORKER], self.board.control[b.C_DEADLINE]
        if b.clock() > deadline:
            time.sleep(0.05)  # the database is away or the keeper dead: wait for either
            return []
        innocents_only = not self._may_run_a_loss()
        number = page.number_claim(worker_id, len(self.board.pages))
        claimer = Claimer(worker_id, self.options.name, number, innocents_only)
        try:
            with self.lock:
                claims = claim(self.strategy, claimer, self._room(ran), self.options.queues)
        except Error as error:
            self._failed(error)
            return []
        if not (claims and claims[0].losses):
            page.words[b.SOLO] = 0
        page.words[b.CLAIMED] = 1
        if not claims:
            page.words[b.PENDING] = 0
            return []
        page.words[b.IDLE] = 0
        return list(zip(page.put(claims, self.timeout), claims, strict=True))

    def _room(self, ran: int) -> int:
        room = self.pace.batch()
        if self.options.max_tasks is not None:
            room = min(room, max(1, self.options.max_tasks - ran))
        return min(room, self.page.room())

    def _may_run_a_loss(self) -> bool:
        """Ask for the right to run a task with a loss, of which a worker runs one at a time."""
        self.page.words[b.SOLO] = 1
        b.fence()
        # A dead runner's page counts until it is settled.
        if any(page.words[b.SOLO] for page in self.board.pages if page is not self.page):
            self.page.words[b.SOLO] = 0
            return False
        return True

    def _failed(self, error: Error) -> None:
        """The claim's outcome may be unknown: its number is given up, and the keeper gives back what it took."""
        self.page.words[b.PENDING] = 0
        self.page.words[b.SOLO] = 0
        found = trouble(error)
        if found is Trouble.OTHER:
            raise error
        if found is not Trouble.BUSY:
            self.session.close()
            self.patience.ride_out(lambda: self.session.rows("SELECT 1"))
