"""The states of a task: what a person sees and may set; a claim is proved by `holder` alone."""

from __future__ import annotations

from typing import Final

QUEUED: Final = 0
PROGRESS: Final = 1
COMPLETED: Final = 2
FAILED: Final = 3
CANCELLED: Final = 4
SCHEDULED: Final = 5

LOWEST_RANK: Final = -32768  # what a small integer can be

ENDS: Final = (COMPLETED, FAILED, CANCELLED)
UNFINISHED: Final = (QUEUED, PROGRESS, SCHEDULED)
