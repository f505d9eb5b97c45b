"""Archives are known by their names: Rancher's own, and those that a stack has rules for."""

from __future__ import annotations

# As in Cattle's settings and the server's content items: `pyagent` is what the server calls go-agent.tar.gz.
RANCHER = ("go-agent", "host-api", "pyagent")
_SAME = {"pyagent": "go-agent"}
_ENDINGS = (
    *(f".tar.{ending}" for ending in ("gz", "xz", "zst", "bz2")),
    *(".tar", ".tgz", ".txz", ".tzst", ".tbz2", ".tbz", ".zip"),
)


def stem(name: str) -> str:
    """The name without what says how it is packed."""
    ending = next((one for one in _ENDINGS if name.lower().endswith(one)), "")
    return name[: len(name) - len(ending)]


def is_called(name: str, wanted: str) -> bool:
    """Whether an archive has this name, perhaps with a version behind it: `go-agent-v0.13.tar.gz` is a `go-agent`."""
    words = stem(name)
    return any(
        words == one or (words.startswith(one) and words[len(one)] in "-_.")
        for one in (wanted, *(alias for alias, real in _SAME.items() if real == wanted))
    )


def is_rancher(name: str) -> bool:
    """Whether an archive is one of those that a Rancher server hands to its hosts."""
    return any(is_called(name, wanted) for wanted in RANCHER)
