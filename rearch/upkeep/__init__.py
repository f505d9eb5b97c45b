"""For maintainers: which versions there are, and what to do about them. Pure: others ask, this judges."""
