"""The keeper: the worker's one waiting connection. It beats, watches, rescues, promotes and wakes; no user code."""

from __future__ import annotations

import logging
import os
import select
import socket
import sys
import time
from collections.abc import Sequence

from django.db import Error

from ..backends import OwnSession, get_strategy
from ..backends.errors import Trouble, trouble
from ..backends.waiting import waiter_for
from ..conf import get_settings
from ..exceptions import DatabaseNotReady, StrategyError
from ..queue import rescue, upkeep, workers
from ..queue.sql import TASK
from . import board as b
from .news import WAKE, drain, write_news
from .options import Options
from .patience import GivenUp, Patience
from .settle import Settler
from .watch import Watch

logger = logging.getLogger("django_simple_queue")
TAKEN = 0.005  # seconds after which one that was woken has taken its share, and a look says what is left
TICK = 0.05  # seconds between two looks at the board while work is done
IDLE_KEPT = 0.2  # seconds after a wake-up for which enqueues go on notifying: to say it costs more than they do
PRUNE_EVERY = 60.0  # seconds: it reads the whole table where no index has finished_at
IMPOSSIBLE = 2  # exit code: no wait cures it


class Keeper:
    """One per worker, replaced by the supervisor if it dies or hangs; the board outlives it."""

    def __init__(self, options: Options, board: b.Board, poke_fd: int, wake_fds: Sequence[int]) -> None:
        self.options, self.board, self.poke_fd, self.wake_fds = options, board, poke_fd, wake_fds
        self.settings = get_settings()
        # Below what the supervisor takes for a hang, a third of a lease.
        self.session = OwnSession(options.alias, silence=self.settings.lease_seconds / 4)
        self.session.meanwhile = self._tick
        self.patience = Patience(self.session, self._call_off, self._tick)
        self.parent = os.getppid()
        self.next_beat = 0.0
        self.next_prune = 0.0
        self.worked_at = self.woke_at = time.monotonic()  # when last somebody had work, and when somebody was woken
        self.idle_said = False

    def run(self) -> int:
        try:
            self._open()
            while self.board.control[b.C_STOP] != b.Stop.RUNNERS_GONE:
                self._tick()
                self.patience.ride_out(self._round)
                self.patience.ride_out(self._wait)
            self.patience.ride_out(self._leave)
        except GivenUp:
            pass
        except (StrategyError, DatabaseNotReady) as error:
            return self._refuse(str(error))
        finally:
            self.session.close()
        return 0

    # -- coming and going ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Choose the strategy, find the tables, take a worker id (or the one of the keeper before this one)."""
        self.patience.ride_out(self.session.connection.ensure_connection)
        self.strategy = get_strategy(session=self.session, wanted=self.options.strategy)
        self.waiter = self.patience.ride_out(lambda: waiter_for(self.session, self.options.queues))
        try:
            self.session.attempt(lambda: self.session.rows(f"SELECT holder FROM {TASK} WHERE holder = 0"))
        except Error as error:
            if trouble(error) is Trouble.NO_TABLE:
                raise DatabaseNotReady(
                    f"Database {self.options.alias!r} has no task table of this version: run `manage.py migrate"
                    f" --database {self.options.alias}` first."
                ) from None
            raise
        self.settler = Settler(self.session, self.board, self.wake_fds)
        self.watch = Watch(self.strategy, self.settings.lease_seconds, self.settings.heartbeat_seconds)
        if not self.board.control[b.C_WORKER]:
            self._register()
            self._say_hello()
        elif self.waiter.wants_idle:
            self.patience.ride_out(lambda: self._say_idle(False))  # whatever the keeper before this one said

    def _refuse(self, message: str) -> int:
        print(f"task_worker: {message}", file=sys.stderr, flush=True)
        return IMPOSSIBLE

    def _say_hello(self) -> None:
        if self.options.verbosity >= 1:
            options, strategy = self.options, self.strategy
            queues = ", ".join(options.queues) or "all queues"
            print(
                f"Worker {options.name}: database {options.alias!r}, {queues}, {options.processes} x {options.threads};"
                f" strategy {strategy.name}: {strategy.why}; {self.waiter.how}.",
                flush=True,
            )

    def _register(self) -> None:
        sent = b.clock()
        worker_id = self.patience.ride_out(
            lambda: workers.register(
                self.session,
                name=self.options.name,
                host=socket.gethostname(),
                pid=self.parent,
                runs=f"{self.options.processes} x {self.options.threads}, {self.strategy.name}",
            )
        )
        self.board.control[b.C_DEADLINE] = sent + int(self.settings.lease_seconds * 1e9)
        self.board.control[b.C_WORKER] = worker_id
        self.idle_said = False  # of this row
        self.next_beat = 0.0  # at once: who seems dead must be known before a burst may end

    def _leave(self) -> None:
        """All runners are gone: settle what they left, then the worker's row goes."""
        for _ in range(3):  # somebody's transaction may hold up a result
            self.settler.settle_dead_pages()
            if not self.board.dead():
                break
        self.settler.sweep(self.board.control[b.C_WORKER], rescue.held_numbers(self.session))
        workers.leave(self.session, self.board.control[b.C_WORKER])

    # -- one round -----------------------------------------------------------------------------------------------

    def _round(self) -> None:
        """Everything that may be due; safe to do again from its start."""
        now = time.monotonic()
        if now >= self.next_beat:
            self._beat()
        if self.settler.settle_dead_pages() | self.settler.help_long_runs():
            self.waiter.next_look = 0.0  # what was given back is work for the others
        if self.board.stopping:
            return
        idle = self._idle()
        if not idle:
            self.worked_at = now
        quiet_for = now - self.worked_at
        due = bool(idle) and self.waiter.look_is_due(quiet_for, self.options.poll_interval)
        if due or (idle and self.waiter.wants_idle and not self.idle_said):
            self._look(len(idle))
        elif self.idle_said and not idle and now - self.woke_at > IDLE_KEPT:
            self._say_idle(False)

    def _beat(self) -> None:
        control = self.board.control
        sent, next_beat = b.clock(), time.monotonic() + self.settings.heartbeat_seconds
        worker_id = control[b.C_WORKER]
        lapsed = sent > control[b.C_DEADLINE]  # runners that were woken meanwhile have claimed nothing
        if workers.beat(self.session, worker_id):
            control[b.C_DEADLINE] = sent + int(self.settings.lease_seconds * 1e9)
        else:
            logger.warning(
                "Worker %s was declared dead by another one: what it holds is dropped, it goes on under a new id.",
                self.options.name,
            )
            self.settler.drop_all(worker_id)
            self._register()
            lapsed = True
        held = rescue.held_numbers(self.session)  # before workers and pages are looked at
        rescued = self.watch.look(control[b.C_WORKER], sent, held)
        swept = self.settler.sweep(control[b.C_WORKER], held)
        self.settler.pass_on_cancels(control[b.C_WORKER], held)
        if upkeep.catch_up(self.strategy) or rescued or swept or lapsed or self.options.burst:
            self.waiter.look_within(0.0)  # nobody tells of what we have done ourselves
        if self.settings.keep_finished is not None and time.monotonic() >= self.next_prune:
            pruned = upkeep.prune(self.session, self.settings.keep_finished)
            self.next_prune = time.monotonic() + (0 if pruned >= upkeep.BATCH else PRUNE_EVERY)
        # Only now: what failed is due at once, and a round without it would be a success.
        self.next_beat = min(next_beat, time.monotonic() + self.watch.ends_in())

    def _look(self, most: int) -> None:
        """For so many idle runners: promote what is due, wake as many as there are tasks; end a burst that is over."""
        before = self._asked()
        if self.waiter.wants_idle and not self.idle_said:
            # Said before the look: a task enqueued after it is notified, one enqueued before it is seen.
            self._say_idle(True)
        seen = upkeep.outlook(self.session, self.options.queues, most)
        if seen.due_in == 0:
            if upkeep.promote(self.strategy):
                seen = upkeep.outlook(self.session, self.options.queues, most)
            else:
                seen = seen._replace(due_in=TICK)  # somebody's transaction holds it: no reason to ask all the time
        self.waiter.looked(seen.due_in)
        if seen.runnable:
            self._wake(seen.runnable)
        elif self.options.burst and self._nothing_held(before) and not self.watch.others_hold():
            # A claim may have been carried out after its dead runner's page was settled.
            if self.settler.sweep(self.board.control[b.C_WORKER], rescue.held_numbers(self.session)):
                self.waiter.look_within(0.0)
            else:
                self.board.control[b.C_STOP] = b.Stop.SOON

    def _idle(self) -> list[b.Page]:
        return [page for page in self.board.live() if page.words[b.IDLE]]

    def _wake(self, most: int) -> None:
        """Up to so many of those that are idle now. Last who has or claims something: it may be busy at once."""
        idle = self._idle()
        if len(idle) > 1:
            idle.sort(key=b.Page.load)
        for page in idle[:most]:
            page.words[b.IDLE] = 0
            write_news(self.wake_fds[page.index], WAKE)
            self.worked_at = self.woke_at = time.monotonic()

    def _say_idle(self, idle: bool) -> None:
        workers.set_idle(self.session, self.board.control[b.C_WORKER], idle)
        self.idle_said = idle
        if idle:
            self.waiter.said_idle()

    def _asked(self) -> list[tuple[int, ...]]:
        """Which runners there are and how often each has asked for work."""
        return [tuple(page.words[word] for word in (b.STATE, b.RUNNER, b.COUNT)) for page in self.board.pages]

    def _nothing_held(self, before: list[tuple[int, ...]]) -> bool:
        """No runner has, or has meanwhile asked for, anything."""
        return (
            all(page.words[b.IDLE] for page in self.board.live())
            and not self.board.dead()
            and not any(page.in_use() for page in self.board.pages)
            and before == self._asked()
        )

    def _wait(self) -> None:
        """Until something may have happened: work, a dead runner, the next beat."""
        left = max(0.0, self.next_beat - time.monotonic())
        if self._idle() and not self.board.stopping:
            self.waiter.wait(left, self.poke_fd)
            if self.waiter.told:
                self._wake(1)  # it need not wait for a look, which is for the others
                self.waiter.heard(look_within=TAKEN)
        else:
            select.select([self.poke_fd], [], [], min(TICK, left))
        if drain(self.poke_fd) and self.options.burst:
            self.waiter.look_within(TICK)  # whoever has just fallen idle may be the last

    def _tick(self) -> None:
        self.board.control[b.C_TICK] = b.clock()

    def _call_off(self) -> bool:
        # Once registered it has a page to settle and a row to take away: the supervisor says how long that may take.
        over = self.board.control[b.C_STOP] == b.Stop.RUNNERS_GONE and not self.board.control[b.C_WORKER]
        return over or os.getppid() != self.parent  # not 1: in a container that is the supervisor
