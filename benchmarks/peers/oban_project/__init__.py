"""What oban's worker processes import."""
