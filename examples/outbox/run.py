"""The example: orders and their messages, three relays, one of which is killed, and a receiver that counts.

    python run.py                              # on an SQLite file beside this one
    python run.py postgres://user@host/name    # or mysql://...: a database for trying things out

It makes two tables, shop_order and shop_message, and drops them at the end. Exits with 1 if anything went otherwise
than it should.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

if len(sys.argv) > 1:
    os.environ["OUTBOX_DATABASE"] = sys.argv[1]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.db import connection, transaction  # noqa: E402
from receiver import Receiver  # noqa: E402
from shop.models import Message, Order  # noqa: E402
from shop.outbox import place_order  # noqa: E402

from django_simple_queue.backends import get_strategy  # noqa: E402

RELAY = [sys.executable, str(Path(__file__).with_name("relay.py"))]
ORDERS, RELAYS, GIVE_UP_AFTER = 200, 3, 120  # seconds


class ChangedTheirMind(Exception):
    """Rolls an order back."""


def main() -> None:
    print(f"Database: {connection.vendor}, strategy {get_strategy().name}")
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with tables(), relays(receiver.url):
        placed = write()
        wait_until_sent()
        report(receiver, placed)


@contextmanager
def tables() -> Iterator[None]:
    """claim_rows() needs no table of its own."""
    drop_tables()
    with connection.schema_editor() as editor:
        for model in (Order, Message):
            editor.create_model(model)
    try:
        yield
    finally:
        drop_tables()


def drop_tables() -> None:
    there = connection.introspection.table_names()
    with connection.schema_editor() as editor:
        for model in (Order, Message):
            if model._meta.db_table in there:
                editor.delete_model(model)


@contextmanager
def relays(url: str) -> Iterator[None]:
    processes = [subprocess.Popen([*RELAY, url]) for _ in range(RELAYS)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def write() -> int:
    """How many orders were placed: some are rolled back, and their messages with them."""
    for number in range(ORDERS):
        try:
            with transaction.atomic():
                place_order(number)
                if number % 7 == 0:
                    raise ChangedTheirMind
        except ChangedTheirMind:
            pass
    placed = Order.objects.count()
    print(f"Orders: {placed} placed, {ORDERS - placed} rolled back")
    return placed


def wait_until_sent() -> None:
    began = time.monotonic()
    while left := Message.objects.exclude(status=1).count():
        if time.monotonic() > began + GIVE_UP_AFTER:
            sys.exit(f"{left} messages are still not sent.")
        time.sleep(0.1)


def report(receiver: Receiver, placed: int) -> None:
    known = {str(key) for key in Message.objects.values_list("pk", flat=True)}
    twice = {key: times for key, times in receiver.received.items() if times > 1}
    print(f"Delivered: {len(receiver.received)} messages, each claimed by one of {RELAYS} relays")
    print(f"Killed: relay {receiver.killed}, after a message had arrived and before it could say so")
    print(f"Delivered again: {len(twice)}, which the receiver knows again by their key: {', '.join(sorted(twice))}")
    for key, fence in receiver.refused:
        print(f"Refused: message {key} with fence {fence}, since it had come with fence {receiver.fences[key]}")
    wrong = []
    if not placed == len(known) == len(receiver.received) or known != receiver.received.keys():
        wrong.append("what was delivered is not what was committed")
    if not receiver.killed or not twice:
        wrong.append("no relay was killed between sending and saying so")
    if not receiver.refused:
        wrong.append("no late message was refused")
    well = "Nothing was lost, and nothing was told of what was rolled back"
    print(f"Not as expected: {'; '.join(wrong)}" if wrong else well)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
