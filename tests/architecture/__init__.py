"""The layer rules of CONTRIBUTING.md, read from the source itself."""
