"""Programs that see another time than the machine's, by Debian's libfaketime, which is unpacked and not installed."""

from __future__ import annotations

from compat_matrix import debian
from compat_matrix.errors import ServerError

LIBRARY = "libfaketimeMT.so.1"  # the one for programs with threads


def at_another_time(suite: str, offset: str) -> list[str]:
    """Words before a server's command that put its clock off, by "+1h" for example.

    `suite`: the server's, since the library must fit the C library that the program is loaded with.
    """
    root = debian.fetch("libfaketime", suite, dependencies=False).root
    found = next(root.glob(f"usr/lib/*/faketime/{LIBRARY}"), None)
    if found is None:
        raise ServerError(f"{root} has no {LIBRARY}")
    # By env, which replaces itself: what comes before the program has another C library.
    # Waits go by clocks that only count: those are left alone.
    return ["/usr/bin/env", f"LD_PRELOAD={found}", f"FAKETIME={offset}", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
