"""Talks to an adapter in its own environment."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.driver.environments import Environment


class AgentError(Exception):
    """What the adapter, or what is under it, said."""


class Agent:
    """Starts the process at the first call, and again after close()."""

    def __init__(self, module: str, url: str, environment: Environment, stage: Path) -> None:
        self.module = module
        self.url = url
        self.environment = environment
        self.stage = stage
        self.process: subprocess.Popen[str] | None = None

    def call(self, name: str, *arguments: Any) -> Any:
        return self.timed(name, *arguments)[1]

    def timed(self, name: str, *arguments: Any) -> tuple[float, Any]:
        """How many seconds the call took there, and what it returned."""
        process = self.process or self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps([name, *arguments]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            raise AgentError(f"{self.module} ended at {name}: {self.said()}")
        answer = json.loads(line)
        if "error" in answer:
            raise AgentError(answer["error"])
        return answer["took"], answer["value"]

    def start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        self.stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - it stays
        self.process = subprocess.Popen(
            [self.environment.python, "-m", "benchmarks.peers.agent", self.module],
            cwd=self.stage,
            env=self.environment.variables | {"BENCH_URL": self.url},
            stdin=pipe,
            stdout=pipe,
            stderr=self.stderr,
            text=True,
        )
        return self.process

    def said(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read()[-1500:].strip()

    def close(self) -> None:
        """End it; what it did is in the server's statistics then."""
        if self.process is not None:
            try:
                self.process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
            except BrokenPipeError:
                self.process.wait()
            self.process = None
