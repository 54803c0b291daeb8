"""Real workers and a real database under random faults: python -m tests.chaos --help, or nox -s chaos."""
