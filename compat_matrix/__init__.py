"""Real databases to test with: which ones (matrix.toml), and how to get one started (servers.py)."""
