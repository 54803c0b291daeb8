"""Leases in an event loop, whose tasks share one thread for the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from django_simple_queue.claims import LeaseHeld, LeaseLost, lease
from django_simple_queue.models import Lease

from .case import ClaimsCase


class TestAsync(ClaimsCase):
    async def test_it_is_a_context_manager_there_too(self) -> None:
        async with lease("a", 30) as held:
            held.check()
            await held.arenew()
            with pytest.raises(LeaseHeld):
                await lease("a", 30).aacquire()
        assert not await Lease.objects.exclude(owner=None).aexists()

    async def test_it_is_acquired_and_released(self) -> None:
        held = await lease("a", 30).aacquire()
        await held.arelease()
        with pytest.raises(LeaseLost):
            await held.arelease()

    async def test_who_lost_it_is_told_but_an_error_is_not_hidden(self) -> None:
        async def lose(error: Exception | None) -> None:
            async with lease("a", 30, renew=False):
                await Lease.objects.aupdate(owner=None)
                if error:
                    raise error

        with pytest.raises(LeaseLost):
            await lose(None)
        with pytest.raises(ZeroDivisionError):
            await lose(ZeroDivisionError())

    async def test_who_waits_lets_the_holder_in_the_same_loop_go_on(self) -> None:
        fences = []

        async def work() -> None:
            async with lease("a", 30, wait=60) as held:
                await Lease.objects.acount()
                await asyncio.sleep(0.02)
                fences.append(held.fence)

        await asyncio.gather(*(work() for _ in range(4)))
        assert fences == [1, 2, 3, 4]

    async def test_who_is_cancelled_while_waiting_takes_nothing_along(self) -> None:
        async with lease("a", 30):
            waiting = asyncio.ensure_future(lease("a", 30, wait=60).aacquire())
            await asyncio.sleep(0.05)
            await cancelled(waiting)
        await sync_to_async(free)()

    async def test_who_is_cancelled_while_taking_it_gives_it_back(self) -> None:
        for steps in range(12):  # at one of them it is being taken
            taking = asyncio.ensure_future(lease("a", 30).aacquire())
            for _ in range(steps):
                await asyncio.sleep(0.002)
            if taking.done():
                await taking.result().arelease()
            else:
                await cancelled(taking)
            await sync_to_async(free)()


async def cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def free() -> None:
    """It can be taken, so nobody has it."""
    with lease("a", 30, renew=False):
        pass
