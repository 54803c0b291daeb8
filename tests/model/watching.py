"""Who is dead: a second, smaller world, with time. A worker beats, another one watches, the database comes and goes.

Time goes in whole steps. In each, everything that may happen happens in every order; what is declared dead within its
lease, or though it beat whenever it could, breaks the rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

LEASE, HEARTBEAT, LAST = 4, 1, 8

ALIVE_WITHIN_ITS_LEASE = "declared dead within its lease"
BEAT_WHENEVER_IT_COULD = "declared dead though it beat whenever it could"


class State(NamedTuple):
    now: int = 0
    up: bool = True  # the database
    outages: int = 1  # that may still come
    ahead: int = 0  # of the database's clock, since it failed over to another server
    # the worker that is watched
    awake: bool = True
    slept: bool = False
    beat_in: int = -1  # the step of its last beat
    under_way: int | None = None  # when a beat was sent that has not landed
    deadline: int = LEASE
    # its row
    moved: bool = True  # its beats have, since the watcher looked
    beat_at: int = 0  # by the database's clock
    # the watcher
    sent: int | None = None  # its own beat, after which it has not looked yet
    last_beat: int | None = None
    since: int = 0


class Rules:
    """The watch as worker/watch.py keeps it."""

    def since(self, sent: int, now: int) -> int:
        """When the watch of beats begins that were seen now, after an own beat that was sent before."""
        return now

    def starts_anew(self, state: State, sent: int) -> bool:
        """The watcher was late itself: what held it up may have held up the other."""
        return state.last_beat is not None and sent - state.last_beat > 2 * HEARTBEAT

    def is_over(self, state: State, sent: int) -> bool:
        """The beats have not moved for a lease."""
        return sent - state.since >= LEASE


def steps(rules: Rules, state: State) -> Iterator[tuple[str, State, str | None]]:
    """What may happen next: words, the state then, and what it breaks."""
    prompt = not (state.up and state.awake) or state.beat_in == state.now
    if state.now < LAST and prompt:
        yield "time goes on", state._replace(now=state.now + 1), None
    if state.up and state.outages:
        down = state._replace(up=False, outages=state.outages - 1, under_way=None, sent=None)
        yield "the database goes away", down, None
    if not state.up:
        yield "it is back", state._replace(up=True), None
        yield "another one takes its place, its clock ahead", state._replace(up=True, ahead=LEASE), None
    if state.awake and not state.slept:
        yield "the worker is suspended", state._replace(awake=False, slept=True), None
    if not state.awake:
        yield "it wakes", state._replace(awake=True), None
    if state.up:
        yield from beats(state)
        yield from watches(rules, state)


def beats(state: State) -> Iterator[tuple[str, State, str | None]]:
    if state.awake and state.under_way is None and state.beat_in < state.now:
        yield "the worker sends a beat", state._replace(under_way=state.now), None
    if state.under_way is not None:
        landed = state._replace(
            moved=True,
            beat_at=state.now + state.ahead,
            beat_in=state.now,
            under_way=None,
            deadline=state.under_way + LEASE,
        )
        yield "its beat lands", landed, None


def watches(rules: Rules, state: State) -> Iterator[tuple[str, State, str | None]]:
    if state.sent is None:
        yield "the watcher beats", state._replace(sent=state.now), None
        return
    sent, looked = state.sent, state._replace(sent=None, last_beat=state.sent)
    if state.moved or rules.starts_anew(state, sent):
        yield "it begins to watch", looked._replace(moved=False, since=rules.since(sent, state.now)), None
    elif rules.is_over(state, sent):
        wrong = ALIVE_WITHIN_ITS_LEASE if state.now < state.deadline else None
        if not state.slept:
            wrong = BEAT_WHENEVER_IT_COULD
        yield "it declares the worker dead", looked._replace(now=LAST, up=False, outages=0), wrong
    else:
        yield "it sees that they stand still", looked, None


class Found(NamedTuple):
    states: int
    wrong: str | None = None
    story: tuple[str, ...] = ()
    declared: bool = False  # in some order of things the worker was declared dead


def search(rules: Rules) -> Found:
    """Every order of things, and the shortest story that breaks the rules."""
    first = State()
    before: dict[State, tuple[State, str] | None] = {first: None}
    todo = deque([first])
    declared = False
    while todo:
        state = todo.popleft()
        for words, after, wrong in steps(rules, state):
            declared = declared or words == "it declares the worker dead"
            if wrong:
                return Found(len(before), wrong, (*story(before, state), words), declared)
            if after not in before:
                before[after] = state, words
                todo.append(after)
    return Found(len(before), declared=declared)


def story(before: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    way = []
    while (step := before[state]) is not None:
        state, words = step
        way.append(f"{state.now}: {words}")
    return tuple(way[::-1])
