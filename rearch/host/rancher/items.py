"""What an agent asks its server for, by name."""

from __future__ import annotations

import re

from rearch.errors import UsageError

# The items whose archives hold programs, or lead to them: the agent's scripts, the Go agent, host-api.
ITEMS = ("configscripts", "pyagent", "host-api")
# File names of the server's own archives (the artifacts of a 1.6 server) and the item that each is handed out as.
ARCHIVES = {"go-agent": "pyagent", "pyagent": "pyagent", "host-api": "host-api", "configscripts": "configscripts"}
_ITEM = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class UnknownItem(UsageError):
    """A name that no content item has."""

    def __init__(self, item: str) -> None:
        self.item = item
        super().__init__(f"{item!r}: no content item has such a name", hint=f"use one of {', '.join(ITEMS)}")


def check_item(item: str) -> str:
    """The name itself. Servers may have more items than ITEMS, so only the shape is checked. Errors: UnknownItem."""
    if not _ITEM.fullmatch(item):
        raise UnknownItem(item)
    return item


def item_of(file_name: str) -> str | None:
    """The item that an archive of this name is for: `go-agent.tar.gz`, `go-agent-v0.13.9.tar.gz` -> pyagent."""
    if not file_name.endswith((".tar.gz", ".tgz")):
        return None
    stem = file_name.removesuffix(".tar.gz").removesuffix(".tgz")
    found = [name for name in ARCHIVES if stem == name or re.match(re.escape(name) + r"[-_.]v?[0-9]", stem)]
    return ARCHIVES[found[0]] if found else None
