"""What the adapters of queues for Node share: npm packages in a cache folder, and a script that both sides run.

The script beside this is named as the adapter's module; `node SCRIPT client` answers calls as benchmarks.peers.agent
does, and `node SCRIPT worker SETTING` is a worker process.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.peers.peer import Peer

NODE = "node@^22.18"  # the program itself comes from npm too, whatever this machine has


class NodePeer(Peer):
    """A queue for Node; its client is a process that stays."""

    packages: ClassVar[tuple[str, ...]]  # for npm
    requirements = ("platformdirs>=4",)
    databases = ("postgresql",)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.process: subprocess.Popen[str] | None = None

    @classmethod
    def folder(cls) -> Path:
        """The npm packages, installed once for all that wants the same ones."""
        from platformdirs import user_cache_path

        cache = os.environ.get("DSQ_CACHE")
        folder = (Path(cache) if cache else user_cache_path("django_simple_queue")) / "bench" / cls.module()
        wanted, installed = " ".join((NODE, *cls.packages)), folder / "installed"
        if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
            npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", NODE, *cls.packages]
            subprocess.run(npm, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            installed.write_text(wanted, encoding="utf-8")
        return folder

    def command(self, *words: str) -> list[str]:
        folder = self.folder()
        script = Path(__file__).with_name(f"{self.module()}.mjs")
        setting = [f"BENCH_URL={self.url}", f"BENCH_PACKAGES={folder}/"]
        return ["env", *setting, str(folder / "node_modules" / "node" / "bin" / "node"), str(script), *words]

    def call(self, *call: Any) -> None:
        """Have the client do something."""
        if self.process is None:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(self.command("client"), stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        if error := json.loads(self.process.stdout.readline())["error"]:
            raise RuntimeError(error)

    def prepare(self) -> None:
        self.call("prepare")

    def empty(self) -> None:
        self.call("empty")

    def fill(self, kind: str, count: int) -> None:
        self.call("fill", kind, count)

    def add(self, kind: str, n: int) -> None:
        self.call("add", kind, n)

    def add_in_transaction(self, kind: str, count: int) -> None:
        self.call("addInTransaction", kind, count)

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.command("worker", json.dumps(self.configurations[configuration]))] * processes

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()
