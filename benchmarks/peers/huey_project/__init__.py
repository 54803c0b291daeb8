"""What huey's worker processes import."""
