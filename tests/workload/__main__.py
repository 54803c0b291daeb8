"""python -m tests.workload --minutes 30

Workloads are drawn and run on the database of DSQ_TEST_DATABASE (SQLite without it) until one breaks a promise, or the
time is over. Exit code 1 if one did; it is shown, and comes first in the next run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
EACH = 20  # examples of a round, about two minutes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.workload", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    end = time.monotonic() + options.minutes * 60
    environment = os.environ | {"DSQ_WORKLOAD_EXAMPLES": str(EACH)}
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        print(f"round {rounds}, {(end - time.monotonic()) / 60:.1f} minutes to go", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-x", str(HERE / "test_workload.py")]
        if subprocess.run(command, cwd=HERE.parents[1], env=environment).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
