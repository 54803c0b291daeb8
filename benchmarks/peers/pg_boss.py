"""pg-boss, for Node: a queue is a partition of a table; a batch is claimed, run and finished as one."""

from __future__ import annotations

import json

from benchmarks.peers.node_project.base import NodePeer


class PgBoss(NodePeer):
    """Each process polls by itself."""

    name = "pg-boss"
    packages = ("pg-boss@^12.38.0",)
    configurations = {
        # Its defaults: one job each two seconds.
        "recommended": {},
        # Claims of 500, again at once while they are full; it listens, so that it need not poll often.
        "best": {
            "boss": {"useListenNotify": True},
            "work": {"batchSize": 500, "burstWhenBatchFull": True, "pollingIntervalSeconds": 0.5},
        },
    }
    left = "SELECT COUNT(*) FROM pgboss.job WHERE state < 'completed'"

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        setting = self.configurations[configuration]
        number = {"batchSize": tasks} if "work" in setting else {"localConcurrency": tasks}
        return [self.command("worker", json.dumps(setting | {"work": setting.get("work", {}) | number}))]
