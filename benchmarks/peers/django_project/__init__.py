"""The project of all peers that are Django apps: one set of settings, tasks and ways to start a worker."""
