"""The module from which 0.1.x projects import."""

from .api import create_task
from .exceptions import TaskNotAllowedError

__all__ = ["TaskNotAllowedError", "create_task"]
