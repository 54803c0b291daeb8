"""graphile-worker, for Node: jobs are rows that are deleted when they are done; NOTIFY by a trigger."""

from __future__ import annotations

import json

from benchmarks.peers.node_project.base import NodePeer


class GraphileWorker(NodePeer):
    """Each process has a pool of workers."""

    name = "graphile-worker"
    packages = ("graphile-worker@^0.18.0",)
    configurations = {
        # Its defaults: one job at a time, each claimed and finished by itself.
        "recommended": {},
        # Its guide to performance: jobs are fetched by the batch, and finished with all others that are done by then.
        # A crash gives them back only after four hours.
        "best": {"concurrentJobs": 24, "localQueue": {"size": 500}, "completeJobBatchDelay": 0, "failJobBatchDelay": 0},
    }
    left = "SELECT COUNT(*) FROM graphile_worker._private_jobs"

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        return [self.command("worker", json.dumps(self.configurations[configuration] | {"concurrentJobs": tasks}))]
