"""An adapter at work inside its own environment: python -m benchmarks.peers.agent MODULE, with BENCH_URL set.

Each line on stdin is a call as JSON, ["fill", "noop", 20000]; each is answered by one line on stdout,
{"took": seconds, "value": …} or {"error": "…"}. A name that is no method is an attribute: ["left"].
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any

from benchmarks.peers.peer import Peer, adapter


def answer(peer: Peer, name: str, *arguments: Any) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        if name == "add_timed":
            value: Any = added(peer, *arguments)
        else:
            value = getattr(peer, name)
            value = value(*arguments) if callable(value) else value
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    return {"took": time.perf_counter() - began, "value": value}


def added(peer: Peer, kind: str, count: int, first: int = 0) -> float:
    """Enqueue so many one by one; return when the last was committed."""
    for n in range(first, first + count):
        peer.add(kind, n)
    return time.time()


def main() -> int:
    # What a peer prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    peer = adapter(sys.argv[1])(os.environ["BENCH_URL"])
    for line in sys.stdin:
        answers.write(json.dumps(answer(peer, *json.loads(line))) + "\n")
        answers.flush()
    peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
