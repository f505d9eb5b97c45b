"""Debian packages through the host's own apt: what it is set up to trust and to reach, in a state of our own."""
