"""Who wants to hear of tasks: signal receivers, and the log. An instance is read only if a receiver is there."""

from __future__ import annotations

import logging
from typing import Any

from django.db import Error, connections

from .. import signals
from ..records import Claim

logger = logging.getLogger("django_simple_queue.tasks")


def before_job(claim: Claim, alias: str) -> None:
    """An exception here fails the task."""
    if signals.before_job.receivers:
        task = _read(claim, alias)
        if task is not None:
            signals.before_job.send(sender=type(task), task=task)


def before_loop(claim: Claim, alias: str, iteration: int) -> None:
    if signals.before_loop.receivers:
        _tell(signals.before_loop, claim, alias, iteration=iteration)


def after_loop(claim: Claim, alias: str, output: str, iteration: int) -> None:
    if signals.after_loop.receivers:
        _tell(signals.after_loop, claim, alias, output=output, iteration=iteration)


def on_success(claim: Claim, alias: str) -> None:
    if signals.on_success.receivers:
        _tell(signals.on_success, claim, alias)


def on_failure(claim: Claim, alias: str, error: BaseException | None) -> None:
    if signals.on_failure.receivers:
        _tell(signals.on_failure, claim, alias, error=error)


def log_failure(claim: Claim, error: BaseException) -> None:
    logger.error("Task %s (%s) failed: %s", claim.uuid, claim.task, described(error), exc_info=error)


def _tell(signal: Any, claim: Claim, alias: str, **named: Any) -> None:
    """Send a signal; a receiver's exception is logged and changes nothing."""
    try:
        task = _read(claim, alias)
    except Error as error:
        logger.error("Task %s: no signal was sent, as it could not be read: %r", claim.uuid, error)
        return
    if task is None:
        return
    for receiver, answer in signal.send_robust(sender=type(task), task=task, **named):
        if isinstance(answer, Exception):
            logger.error("Receiver %r failed for task %s: %r", receiver, claim.uuid, answer, exc_info=answer)


def _read(claim: Claim, alias: str) -> Any:
    from ..models import Task

    found = Task._base_manager.using(alias).filter(pk=claim.uuid)
    try:
        return found.first()
    except Error:  # perhaps the server has closed an idle connection
        if connections[alias].in_atomic_block:
            raise
        connections[alias].close()
        return found.first()


def described(error: BaseException) -> str:
    """Its repr(), which is user code too."""
    try:
        return repr(error)
    except Exception as problem:
        return f"{type(error).__name__} (its repr() raises {type(problem).__name__})"
