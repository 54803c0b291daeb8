"""What procrastinate's worker processes import."""
