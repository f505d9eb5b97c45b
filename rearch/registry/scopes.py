"""What whoever pushes asks a token for, and what a blob is called in messages."""

from __future__ import annotations

from rearch.model.reference import Reference


def push_scopes(repository: str) -> frozenset[str]:
    """Those of a token that may push there (github.com/distribution/distribution, docs/spec/auth/scope.md)."""
    return frozenset([f"repository:{repository}:pull,push"])


def blob_name(place: Reference, digest: str) -> str:
    """A blob of a repository, for messages."""
    return f"{place.place}: blob {digest[:19]}..."
