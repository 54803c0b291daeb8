"""claim_rows() and leases, on tables that are a project's own."""
