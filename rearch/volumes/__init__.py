"""Binaries into named volumes and folders: what is there, what is missing, and the stream that brings it."""
