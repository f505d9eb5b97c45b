"""Images as values and on disk: Dockerfiles, layers, layouts, their validation and audit. No network, no process."""
