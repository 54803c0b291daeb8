"""Builds mysqlclient, which comes as source only, and keeps the wheel for each Python."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from compat_matrix import debian
from compat_matrix.cache import cache_folder, locked, make_folder, workplace

# What builds a wheel: gets the folder to put it into and the environment to build with.
Build = Callable[[Path, dict[str, str]], None]


@dataclass(frozen=True, slots=True)
class ClientLibrary:
    """The C library to build with: what to set when building, and when connecting."""

    key: str
    build_environment: dict[str, str]
    run_environment: dict[str, str]


def client_library() -> ClientLibrary:
    """The machine's library if its headers are there, else Debian's in the cache."""
    if _headers_are_installed():
        return ClientLibrary("system", {}, {})
    unpacked = debian.fetch("libmariadb-dev", _own_suite(), also=("libmariadb3",), dependencies=False)
    library = next(unpacked.root.glob("usr/lib/*/libmariadb.so.3")).parent
    return ClientLibrary(
        unpacked.root.name,
        {
            "MYSQLCLIENT_CFLAGS": f"-I{unpacked.root}/usr/include/mariadb",
            "MYSQLCLIENT_LDFLAGS": f"-L{library} -lmariadb -Wl,-rpath,{library}",
        },
        # MySQL's default authentication is a plugin of the client.
        {"MARIADB_PLUGIN_DIR": f"{library}/libmariadb3/plugin"},
    )


def wheel(python: str, library: ClientLibrary, build: Build) -> Path:
    """Return the wheel for this Python ("cp313"), building it once."""
    folder = cache_folder() / "wheels" / f"{python}-{platform.machine()}-{library.key}"
    with locked(f"mysqlclient-{folder.name}"):
        if not folder.exists():
            with workplace(folder.parent) as unfinished:
                wheels = make_folder(unfinished / "wheels")
                build(wheels, library.build_environment)
                wheels.rename(folder)
    return next(folder.glob("mysqlclient-*.whl"))


def _headers_are_installed() -> bool:
    if os.environ.get("MYSQLCLIENT_CFLAGS"):
        return True
    if shutil.which("pkg-config") is None:
        return False
    names = ("mysqlclient", "mariadb", "libmariadb", "perconaserverclient")
    return any(subprocess.run(["pkg-config", "--exists", name]).returncode == 0 for name in names)


def _own_suite() -> str:
    """The machine's own Debian suite: its Python runs with the machine's libc."""
    try:
        return platform.freedesktop_os_release()["VERSION_CODENAME"]
    except (OSError, KeyError):
        return "stable"
