"""Results that are too large for one statement are cut: a server hangs up on those, and would again each time."""

from __future__ import annotations

from ..backends.session import Session
from ..records import Outcome

TEXTS = ("output", "error", "log")
SMALL = 100_000  # characters that any server takes, and that the rest of a statement may have
ESCAPED = "\0\n\r\x1a\\'\""  # characters that become two
CUT = "\n[cut: max_allowed_packet of the database is {} bytes]"


def fitting(session: Session, outcome: Outcome) -> Outcome:
    """The outcome with texts that this database takes in one statement."""
    texts = [getattr(outcome, column) or "" for column in TEXTS]
    if sum(map(len, texts)) < SMALL:
        return outcome
    most = session.dialect.largest_statement()
    if most is None or sum(map(_sent, texts)) < most - 4 * SMALL:
        return outcome
    share = max(0, most - 4 * SMALL) // (2 * len(TEXTS))
    output, error, log = (_cut(getattr(outcome, column), share, most) for column in TEXTS)
    return outcome._replace(output=output, error=error, log=log)


def _sent(text: str) -> int:
    """Bytes that a text takes in a statement."""
    return len(text.encode(errors="replace")) + sum(map(text.count, ESCAPED))


def _cut(text: str | None, size: int, most: int) -> str | None:
    if text is None or len(data := text.encode(errors="replace")) <= size:
        return text
    return data[:size].decode(errors="ignore") + CUT.format(most)
