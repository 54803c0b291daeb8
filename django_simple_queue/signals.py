"""Signals in a task's life; the sender is the Task class, `task` an instance read for the receivers.

Unless somebody listens, no instance is read and nothing is sent.
"""

from __future__ import annotations

from django.dispatch import Signal

# task: sent before its callable is imported and its arguments are parsed. An exception here fails the task.
before_job = Signal()
# task, iteration (from 0): sent after a generator yielded and before the value is added to the output.
before_loop = Signal()
# task, output (the value), iteration
after_loop = Signal()
# task, with `task.output`: sent once COMPLETED is stored.
on_success = Signal()
# task, error: the exception, a TimeoutError, or None where its process died.
on_failure = Signal()
