"""What pgqueuer's worker processes import."""
