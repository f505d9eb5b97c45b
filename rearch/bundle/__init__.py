"""Archives that a server hands to its agents: read, refitted with verified binaries, verified."""
