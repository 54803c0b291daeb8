"""The claim layer: the only place that asks which database it is on."""

from .base import ClaimSpec, ClaimStrategy, Fit
from .registry import choose, get_strategy, register
from .session import OwnSession, Session

__all__ = ["ClaimSpec", "ClaimStrategy", "Fit", "OwnSession", "Session", "choose", "get_strategy", "register"]
