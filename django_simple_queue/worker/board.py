"""The board: shared memory on which a worker's processes show each other what they hold and run.

One control page, and two pages for each runner, so that a new runner need not wait until a dead one's page is settled.
Everything is an aligned 64-bit word with one writer at a time, except the outcomes of done tasks, which are bytes that
their slot points to. Layout and rules: docs/decisions/0003-board.md.
"""

from __future__ import annotations

import marshal
import mmap
import struct
import threading
import uuid
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from ..clock import clock as clock
from ..records import HOLDERS_PER_WORKER, PLAIN_SUCCESS, Claim, Outcome

SLOTS = 1024  # tasks that one runner may hold
TEXT = 64 * 1024  # bytes of outcomes not yet stored
LOW = 2**64 - 1

_barrier = threading.Lock()


def fence() -> None:
    """Make what was written visible before what is read next: each side writes before it looks."""
    with _barrier:
        pass


class PageState(IntEnum):
    FREE = 0
    LIVE = 1
    DEAD = 2  # its runner is gone; the keeper settles what it left


class SlotState(IntEnum):
    EMPTY = 0
    WAITING = 1  # claimed, not started
    RUNNING = 2
    DONE = 3  # ran, its outcome is not stored yet


class Mark:
    """What the keeper writes on a slot of a living runner. Bits, as plain numbers: each task is asked for them."""

    TAKEN = 1  # given back by the keeper: do not start it
    STORED = 2  # its outcome is stored by the keeper
    CANCEL = 4  # somebody asked the task to stop


class Reason(IntEnum):
    """Why the supervisor killed a runner."""

    NONE = 0
    TIMEOUT = 1
    CANCEL = 2
    SHUTDOWN = 3
    STOPPED = 4  # it was suspended for longer than a lease


class Stop(IntEnum):
    NO = 0
    SOON = 1  # start nothing more, finish what runs
    RUNNERS_GONE = 2  # the keeper may settle and leave


# words of a runner's page
STATE, PID, RUNNER, PENDING, COUNT, COUNT_OF, IDLE, SOLO, EXIT, REASON, VICTIM, USED, CLAIMED = range(13)
HEADER = 16
# words of a slot
S_STATE, S_HOLDER, S_ID_HIGH, S_ID_LOW, S_CLAIMED, S_STARTED, S_TIMEOUT, S_MARKS, S_TEXT, S_OVERDUE = range(10)
SLOT = 14  # and, only read together with the others: failed attempts, losses, most attempts, whether it has a slot
_FIELDS = struct.Struct(f"={SLOT - 1}Q")  # all but the state, which is written last
PAGE_WORDS = HEADER + SLOTS * SLOT
PAGE_BYTES = PAGE_WORDS * 8 + TEXT
# words of the control page
C_WORKER, C_DEADLINE, C_STOP, C_TICK = range(4)


class Entry(NamedTuple):
    """One slot as somebody else sees it."""

    slot: int
    state: SlotState
    claim: Claim  # what finishing and releasing need; no callable, no arguments
    started_at: int
    timeout: float  # seconds, 0 for none
    marks: int
    outcome: Outcome | None  # of a DONE slot


class Page:
    """One runner's page. The supervisor writes STATE, PID, EXIT, REASON and OVERDUE, the keeper marks, it all else."""

    def __init__(self, memory: memoryview, index: int) -> None:
        self.index = index
        self.memory = memory[: PAGE_WORDS * 8]
        self.words = self.memory.cast("Q")
        self.text = memory[PAGE_WORDS * 8 : PAGE_BYTES]

    # -- the runner's side ----------------------------------------------------------------------------------------

    def number_claim(self, worker_id: int, pages: int) -> int:
        """A number never used before, written down before the claim is sent."""
        words = self.words
        if words[COUNT_OF] != worker_id:
            words[COUNT_OF], words[COUNT] = worker_id, 0
        words[COUNT] += 1
        holder = worker_id * HOLDERS_PER_WORKER + words[COUNT] * pages + self.index
        words[PENDING] = holder
        return holder

    def put(self, claims: Sequence[Claim], default_timeout: float | None) -> list[int]:
        """Show a claimed batch; the slots it got. Only then is the claim's number no longer pending."""
        words, now, slots = self.words, clock(), []
        free = self.free_slots()
        for claim in claims:
            slot = next(free)
            at = HEADER + slot * SLOT
            key = claim.uuid.int
            timeout = claim.timeout or default_timeout or 0
            _FIELDS.pack_into(
                self.memory, (at + 1) * 8,
                claim.holder, key >> 64, key & LOW, now, 0, int(timeout * 1000), 0, 0, 0,
                claim.attempt, claim.losses, claim.max_attempts or 0, bool(claim.slotted),
            )  # fmt: skip
            words[at] = SlotState.WAITING
            slots.append(slot)
        words[PENDING] = 0
        return slots

    def room(self) -> int:
        """How many slots are free."""
        return self._states().count(SlotState.EMPTY)

    def load(self) -> int:
        """How many tasks its runner has; a claim under way counts as one."""
        return SLOTS - self.room() + (self.words[PENDING] != 0)

    def free_slots(self) -> Iterator[int]:
        return (slot for slot, state in enumerate(self._states()) if state == SlotState.EMPTY)

    def _states(self) -> list[int]:
        """Of all slots."""
        return self.words[HEADER : HEADER + SLOTS * SLOT : SLOT].tolist()

    def start(self, slot: int) -> int:
        """Mark a slot as running; when that was."""
        at = HEADER + slot * SLOT
        now = clock()
        self.words[at + S_STARTED] = now
        self.words[at] = SlotState.RUNNING
        return now

    def take_back(self, slot: int) -> None:
        """The start did not happen."""
        self.words[HEADER + slot * SLOT] = SlotState.WAITING

    def done(self, slot: int, outcome: Outcome) -> bool:
        """Mark a slot as done, with its outcome. False if the outcome does not fit: store it before the next start."""
        at = HEADER + slot * SLOT
        words = self.words
        if outcome is PLAIN_SUCCESS or outcome == PLAIN_SUCCESS:
            words[at + S_TEXT] = 0
        else:
            data = marshal.dumps(tuple(outcome))
            used = words[USED]
            if used + len(data) > TEXT:
                return False
            self.text[used : used + len(data)] = data
            words[USED] = used + len(data)
            words[at + S_TEXT] = (used << 32) | len(data)
        words[at] = SlotState.DONE
        return True

    def empty(self, slot: int) -> None:
        self.words[HEADER + slot * SLOT] = SlotState.EMPTY

    def marks(self, slot: int) -> int:
        return self.words[HEADER + slot * SLOT + S_MARKS]

    # -- the others' side -----------------------------------------------------------------------------------------

    def mark(self, slot: int, mark: int) -> None:
        self.words[HEADER + slot * SLOT + S_MARKS] |= mark

    def cancel(self, entry: Entry, grace: int) -> None:
        """Tell a running task that it is cancelled; unless it ends within `grace` ns, its runner is killed."""
        at = HEADER + entry.slot * SLOT
        if self.words[at + S_STARTED] != entry.started_at:
            return  # it has ended, and another one runs there
        if not self.words[at + S_MARKS] & Mark.CANCEL:
            left = (clock() + grace - self.words[at + S_STARTED]) // 1_000_000
            self.words[at + S_TIMEOUT] = min(left, self.words[at + S_TIMEOUT] or left)
            self.words[at + S_MARKS] |= Mark.CANCEL

    def warn(self, entry: Entry) -> None:
        """Say that a task's time is up: its start is written, since another may have come to the slot meanwhile."""
        self.words[HEADER + entry.slot * SLOT + S_OVERDUE] = entry.started_at

    def is_overdue(self, slot: int) -> bool:
        at = HEADER + slot * SLOT
        return self.words[at + S_OVERDUE] == self.words[at + S_STARTED] != 0

    def unmark(self, slot: int, mark: int) -> None:
        self.words[HEADER + slot * SLOT + S_MARKS] &= ~mark

    def slot_state(self, slot: int) -> int:
        return self.words[HEADER + slot * SLOT]

    def entries(self, *, outcomes: bool = True) -> list[Entry]:
        """The slots in use, in the order in which their tasks were claimed."""
        slots = [slot for slot, state in enumerate(self._states()) if state]
        return [entry for entry in self._read(slots, outcomes) if entry.state is not SlotState.EMPTY]

    def running(self) -> list[Entry]:
        """The slots whose tasks run, few of many: this is asked all the time."""
        slots = [slot for slot, state in enumerate(self._states()) if state == SlotState.RUNNING]
        return [entry for entry in self._read(slots, False) if entry.state is SlotState.RUNNING]

    def _read(self, slots: Sequence[int], outcomes: bool) -> list[Entry]:
        return [self._entry(slot, HEADER + slot * SLOT, outcomes) for slot in slots]

    def _entry(self, slot: int, at: int, outcomes: bool) -> Entry:
        """Its runner may write while it is read: what is the same before and after has been read whole."""
        fields, data = None, b""
        while fields != (fields := self.words[at : at + SLOT].tolist()):
            start, size = divmod(fields[S_TEXT], 1 << 32)
            data = bytes(self.text[start : start + size]) if outcomes and fields[0] == SlotState.DONE else b""
            fence()
        state, holder, high, low, _, started, timeout, marks, _, _, attempt, losses, most, slotted = fields
        key = uuid.UUID(int=(high << 64) | low)
        claim = Claim(key, "", None, "", 0, 0, attempt, losses, most or None, None, bool(slotted), holder)
        outcome = None
        if outcomes and state == SlotState.DONE:
            outcome = Outcome(*marshal.loads(data)) if data else PLAIN_SUCCESS
        return Entry(slot, SlotState(state), claim, started, timeout / 1000, marks, outcome)

    def in_use(self) -> bool:
        return self.words[PENDING] != 0 or any(self._states())

    def wipe(self) -> None:
        """Make the page free for another runner. The count goes on, so that no number is used twice."""
        words = self.words
        for slot in range(SLOTS):
            words[HEADER + slot * SLOT] = SlotState.EMPTY
        for word in (PENDING, IDLE, SOLO, EXIT, REASON, VICTIM, USED, CLAIMED, PID):
            words[word] = 0
        words[STATE] = PageState.FREE


class Board:
    """All pages of one worker, made before its first fork."""

    def __init__(self, runners: int) -> None:
        pages = 2 * runners + 1
        self.memory = mmap.mmap(-1, mmap.PAGESIZE + pages * _rounded(PAGE_BYTES))
        view = memoryview(self.memory)
        self.control = view[: mmap.PAGESIZE].cast("Q")
        self.pages = [
            Page(view[mmap.PAGESIZE + i * _rounded(PAGE_BYTES) :][: _rounded(PAGE_BYTES)], i) for i in range(pages)
        ]

    def live(self) -> list[Page]:
        return [page for page in self.pages if page.words[STATE] == PageState.LIVE]

    def dead(self) -> list[Page]:
        return [page for page in self.pages if page.words[STATE] == PageState.DEAD]

    def numbers(self) -> set[int]:
        """Every claim number that stands on a page: pending, or of a slot in use."""
        found = set()
        for page in self.pages:
            found.add(page.words[PENDING])
            found.update(entry.claim.holder for entry in page.entries(outcomes=False))
        return found - {0}

    @property
    def stopping(self) -> bool:
        return self.control[C_STOP] != Stop.NO


def _rounded(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
