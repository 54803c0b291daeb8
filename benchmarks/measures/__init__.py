"""What is measured of every peer; `growth` and `memory` are of our own queue alone."""
