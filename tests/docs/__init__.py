"""The documentation says what is so, and its code runs."""
