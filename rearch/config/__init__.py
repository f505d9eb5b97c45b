"""YAML -> model, the border: every scalar is text, every problem has its place, all are told at once."""
