"""What is measured of every peer; `growth` is of our own queue alone."""
