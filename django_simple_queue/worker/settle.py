"""What the keeper does with the board's pages: dead ones are settled, living ones helped, strays given back."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence

from ..backends.session import Session
from ..conf import get_settings
from ..queue import finish, rescue
from ..queue.control import held_and_cancelled, stored_id
from ..records import Claim, failure, worker_of
from ..states import COMPLETED, FAILED
from . import board as b
from .news import LOST, SUCCEEDED, TIMED_OUT, UNSUCCESSFUL, write_news
from .process import how_it_died

logger = logging.getLogger("django_simple_queue.tasks")
CANCEL_GRACE = 10_000_000_000  # ns that a running task gets to end by itself once it is cancelled
LONG_RUN = 2_000_000_000  # ns after which what shares a batch with a task is no longer held up by it


class Settler:
    def __init__(self, session: Session, board: b.Board, wake_fds: Sequence[int]) -> None:
        self.session, self.board, self.wake_fds = session, board, wake_fds
        self.news: list[tuple[bytes, Claim]] = []  # the signals that dead runners could not send

    def stored(self, claim: Claim) -> Claim:
        """The board keeps ids as UUIDs; this database's driver may want text."""
        return claim._replace(id=stored_id(self.session, claim.uuid))

    # -- dead runners --------------------------------------------------------------------------------------------

    def settle_dead_pages(self) -> bool:
        """Done: finished. Running: one loss. Not started: given back. Then the page is free again.

        True if there were any.
        """
        dead = self.board.dead()
        for page in dead:
            if self.settle(page):
                page.wipe()
        self._tell_news()
        return bool(dead)

    def settle(self, page: b.Page) -> bool:
        """False if somebody's transaction holds up what was done: that stays on the page for the next time."""
        entries = page.entries()
        done = [(self.stored(e.claim), e.outcome) for e in entries if e.state is b.SlotState.DONE]
        waiting = [self.stored(e.claim) for e in entries if e.state is b.SlotState.WAITING]
        result = finish.finish(self.session, [(claim, outcome) for claim, outcome in done if outcome is not None])
        for entry in entries:
            if entry.state is b.SlotState.RUNNING:
                self._settle_running(page, entry)
        finish.release(self.session, waiting)
        if number := page.words[b.PENDING]:
            finish.release_holder(self.session, number)  # its claim may have been committed unseen
            page.words[b.PENDING] = 0
        held_up = {claim.uuid for claim in result.held_up}
        self._done_news(entries, held_up | {claim.uuid for claim in result.lost})
        for entry in entries:
            if entry.claim.uuid not in held_up:
                page.empty(entry.slot)
        return not held_up

    def _done_news(self, entries: list[b.Entry], not_now: set[uuid.UUID]) -> None:
        """What a dead runner has done and not told: it tells after storing, and then empties the slot."""
        for entry in entries:
            outcome = entry.outcome
            stored_before = bool(entry.marks & b.Mark.STORED) or (outcome is not None and outcome.stored)
            if outcome is None or (entry.claim.uuid in not_now and not stored_before):
                continue
            if outcome.status == COMPLETED:
                self.news.append((SUCCEEDED, entry.claim))
            elif outcome.is_last(entry.claim, get_settings().max_attempts):
                self.news.append((UNSUCCESSFUL, entry.claim))

    def _settle_running(self, page: b.Page, entry: b.Entry) -> None:
        claim = self.stored(entry.claim)
        reason, died = page.words[b.REASON], how_it_died(page.words[b.EXIT])
        meant = page.words[b.VICTIM] == entry.slot
        if reason == b.Reason.TIMEOUT and meant:
            text = f"Task timed out after {entry.timeout:g} seconds"
            outcome = failure(text, kind="timeout")
            if finish.finish_one(self.session, claim, outcome):
                logger.error("Task %s failed: %s", claim.uuid, text)
                if outcome.is_last(claim, get_settings().max_attempts):
                    self.news.append((TIMED_OUT, claim))
        elif reason == b.Reason.CANCEL and meant:
            finish.finish_one(self.session, claim, failure("Cancelled while it ran", kind="cancel"))
        elif reason != b.Reason.NONE:
            finish.release(self.session, [claim])  # its runner was killed, but not for its sake
        else:
            text = f"Worker subprocess {died} while this task ran"
            status = rescue.lose_one(self.session, claim.id, claim.holder, text)
            if status is not None:
                logger.error("Task %s: %s", claim.uuid, text)
            if status == FAILED:
                self.news.append((LOST, claim))

    def _tell_news(self) -> None:
        """Have a living runner send the signals, once there is one: no user code runs in the keeper."""
        if self.news and (live := self.board.live()):
            for kind, claim in self.news:
                write_news(self.wake_fds[live[0].index], kind, claim.uuid)
            self.news.clear()

    # -- living runners ------------------------------------------------------------------------------------------

    def help_long_runs(self) -> bool:
        """Where a task runs long, or the worker stops: store what is done beside it, give back what has not begun.

        True if anything was given back.
        """
        gave = False
        for page in self.board.live():
            since = [entry.started_at for entry in page.running()]
            if since and (self.board.stopping or b.clock() - min(since) > LONG_RUN):
                entries = page.entries()
                self._store_done(page, entries)
                gave = self._take_waiting(page, entries) or gave
        return gave

    def _store_done(self, page: b.Page, entries: list[b.Entry]) -> None:
        done = [e for e in entries if e.state is b.SlotState.DONE and not e.marks & b.Mark.STORED]
        for entry in done:
            page.mark(entry.slot, b.Mark.STORED)  # first: the runner may find its own write too late
        result = finish.finish(self.session, [(self.stored(e.claim), e.outcome) for e in done if e.outcome is not None])
        not_stored = {claim.uuid for claim in (*result.lost, *result.held_up)}
        for entry in done:
            if entry.claim.uuid in not_stored:
                page.unmark(entry.slot, b.Mark.STORED)

    def _take_waiting(self, page: b.Page, entries: list[b.Entry]) -> bool:
        taken = []
        for entry in reversed(entries):  # the last first: its runner goes on with the first
            if entry.state is b.SlotState.WAITING and not entry.marks & b.Mark.TAKEN:
                page.mark(entry.slot, b.Mark.TAKEN)
                b.fence()
                if page.slot_state(entry.slot) == b.SlotState.WAITING:
                    taken.append(self.stored(entry.claim))
                else:
                    page.unmark(entry.slot, b.Mark.TAKEN)
        finish.release(self.session, taken)
        return bool(taken)

    def pass_on_cancels(self, worker_id: int, held: Iterable[int]) -> None:
        """Put what people asked of running tasks on the board. `held` was read before."""
        if not any(worker_of(number) == worker_id for number in held):
            return
        asked = held_and_cancelled(self.session, worker_id)
        for page in self.board.live():
            for entry in page.running():
                if (entry.claim.uuid, entry.claim.holder) in asked:
                    page.cancel(entry, CANCEL_GRACE)

    # -- strays ---------------------------------------------------------------------------------------------------

    def sweep(self, worker_id: int, held: Iterable[int]) -> bool:
        """Give back what is held in this worker's name under a number that is on no page. `held` was read before.

        True if there was anything.
        """
        on_pages = self.board.numbers()
        strays = [number for number in held if worker_of(number) == worker_id and number not in on_pages]
        for number in strays:
            finish.release_holder(self.session, number)
        return bool(strays)

    def drop_all(self, worker_id: int) -> None:
        """Declared dead: nothing claimed under the old id may start any more."""
        for page in self.board.live():
            for entry in page.entries():
                if worker_of(entry.claim.holder) == worker_id and entry.state is b.SlotState.WAITING:
                    page.mark(entry.slot, b.Mark.TAKEN)
