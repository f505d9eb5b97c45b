"""The Docker engine: where it is, which client can build with it, and the docker builder."""
