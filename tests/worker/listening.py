"""An app whose receivers note what they are sent; some of them fail."""

from __future__ import annotations

import os
from typing import Any

from django.apps import AppConfig


class Listening(AppConfig):
    name = "tests.worker.listening"
    label = "listening"

    def ready(self) -> None:
        from django_simple_queue import signals

        for name in ("before_job", "on_success", "on_failure"):
            getattr(signals, name).connect(hear(name), weak=False)


def hear(name: str) -> Any:
    def receiver(sender: Any, task: Any, **more: Any) -> None:
        detail = f"{task.status} {len(task.output or '')} {type(more.get('error')).__name__}"
        fd = os.open(os.environ["DSQ_EVIDENCE"] + "/runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{name} {os.getpid()} {task.id} {detail}\n".encode())
        os.close(fd)
        if name != "before_job":
            raise RuntimeError(f"{name} does not like it")

    return receiver
