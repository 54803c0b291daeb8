"""The only writer of task state. Each module is a few rows of the table in docs/decisions/0002-states.md."""
