"""One relay: sends what waits in the outbox to the URL that it is started with, until it is ended."""

import json
import os
import sys
import time
import urllib.error
import urllib.request

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.db import close_old_connections  # noqa: E402
from shop.models import Message  # noqa: E402
from shop.outbox import relay  # noqa: E402


def send(message: Message) -> bool:
    """Whether the receiver has it: now, or from somebody with a later claim."""
    headers = {"Idempotency-Key": str(message.pk), "Fence": str(message.fence), "Sender": str(os.getpid())}
    body = json.dumps(message.body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers), timeout=20):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 409  # the receiver has seen a larger fence


if __name__ == "__main__":
    while True:
        close_old_connections()  # one that was lost would stay lost
        if not relay(send):
            time.sleep(0.1)
