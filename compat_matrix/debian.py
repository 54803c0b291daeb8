"""Fetches a package of any Debian suite into the cache, with apt but without installing it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from compat_matrix.cache import cache_folder, locked, make_folder, workplace
from compat_matrix.errors import ServerError
from compat_matrix.own_libraries import elf_files, use_own_libraries

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = Path("/etc/apt")
# A suite moves: after this time apt is asked again for its current version.
LOOK_AGAIN_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package's files below `root`, as they would be installed below /."""

    root: Path
    package: str
    suite: str

    @property
    def version(self) -> str:
        return self.root.name.replace("%3a", ":")

    def __str__(self) -> str:
        return f"Debian {self.suite}'s {self.package} {self.version}, unpacked in {self.root}"


def fetch(package: str, suite: str, *, also: tuple[str, ...] = (), dependencies: bool = True) -> Unpacked:
    """Return the package's newest cached version, or fetch it with all that it depends on, libc included."""
    versions = make_folder(cache_folder() / "debian" / suite / package)
    with locked(f"debian-{suite}-{package}"):
        cached = sorted((path for path in versions.glob("[!.]*")), key=lambda path: path.stat().st_mtime)
        if cached and time.time() - cached[-1].stat().st_mtime < LOOK_AGAIN_SECONDS:
            return Unpacked(cached[-1], package, suite)
        try:
            return Unpacked(_fill(versions, package, suite, also, dependencies), package, suite)
        except ServerError:
            if cached:  # no network today: the version of last time will do
                return Unpacked(cached[-1], package, suite)
            raise


def _fill(versions: Path, package: str, suite: str, also: tuple[str, ...], dependencies: bool) -> Path:
    with workplace(versions) as folder:
        archives = _download(folder / "apt", suite, (package, *also), dependencies)
        wanted = next(archive for archive in archives if archive.name.startswith(f"{package}_"))
        target = versions / _run("dpkg-deb", "--field", str(wanted), "Version").strip().replace(":", "%3a")
        if not target.exists():
            unpacked = make_folder(folder / "unpacked")
            _run("dpkg-deb", "--extract", str(wanted), str(unpacked))
            programs = elf_files(unpacked)
            for archive in archives:
                _run("dpkg-deb", "--extract", str(archive), str(unpacked))
            if dependencies:
                use_own_libraries(programs, root=unpacked, final_root=target)
            unpacked.rename(target)
        os.utime(target)  # looked up today
        return target


def _download(apt: Path, suite: str, packages: tuple[str, ...], dependencies: bool) -> list[Path]:
    """Download with an apt state of our own, in which nothing counts as installed."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise ServerError(f"there is no {tool}: this is no Debian or Ubuntu")
    archive = mirror()
    if not KEYRING.exists():
        raise ServerError(
            f"{KEYRING} is missing, so Debian's packages cannot be verified: install debian-archive-keyring"
        )
    make_folder(apt / "lists" / "partial")
    archives = make_folder(apt / "cache" / "archives")
    make_folder(archives / "partial")
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {archive} {suite} main\n", encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
    }
    apt_get = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run(*apt_get, "update")
    if dependencies:
        _run(*apt_get, "--download-only", "--yes", "install", *packages)
    else:
        _run(*apt_get, "download", *packages, folder=archives)
    return sorted(archives.glob("*.deb"))


def mirror() -> str:
    """The address of the Debian archive that this machine uses, or $DSQ_DEBIAN_MIRROR."""
    chosen = os.environ.get("DSQ_DEBIAN_MIRROR")
    if chosen:
        return chosen
    files = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix in (".list", ".sources") and file.is_file():
            found = re.search(
                r"^(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(\S+/debian/?)(?:\s|$)", file.read_text(), re.MULTILINE
            )
            if found:
                return found[1]
    raise ServerError(
        f"no Debian archive is named in {SOURCES}/sources.list or {SOURCES}/sources.list.d (is this Ubuntu?): "
        "set DSQ_DEBIAN_MIRROR to the address of one, and install the package debian-archive-keyring"
    )


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise ServerError(f"{command[0]} ended with {done.returncode}: {said}")
    return done.stdout
