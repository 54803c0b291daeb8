"""What awa's worker processes import."""
