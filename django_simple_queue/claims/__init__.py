"""Rows of any table claimed safely on any database, and leases: what the queue itself is built on, for everybody."""

from ..exceptions import ClaimError, LeaseHeld, LeaseLost
from .lease import lease
from .now import DbNow
from .rows import aclaim_rows, claim_rows

__all__ = ["ClaimError", "DbNow", "LeaseHeld", "LeaseLost", "aclaim_rows", "claim_rows", "lease"]
