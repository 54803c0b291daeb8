"""Drawn workloads: real workers run them under faults, then rows and evidence are judged."""
