"""The claim layer: the only place that asks which database it is on."""

from .base import ClaimStrategy, Fit
from .registry import choose, get_strategy, register
from .session import OwnSession, Session
from .spec import ClaimSpec

__all__ = ["ClaimSpec", "ClaimStrategy", "Fit", "OwnSession", "Session", "choose", "get_strategy", "register"]
