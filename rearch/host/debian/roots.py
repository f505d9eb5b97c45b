"""The roots of Debian archives, in the order in which they are tried for a locked file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rearch.host.debian.entries import ArchiveEntry
from rearch.host.debian.fetcher import AptFetcher, Order, Run

LIST_TIMEOUT = 120.0
_MIRROR = re.compile(r"mirror(?:\+(file|copy|http|https|ftp))?:(.*)\Z")


def archive_roots(
    entries: Iterable[ArchiveEntry], more: Iterable[str], fetcher: AptFetcher | None, run: Run
) -> tuple[str, ...]:
    """Distinct roots without a final slash: those of the entries, then `more`.

    A mirror list (apt-transport-mirror(1)) is expanded, since apt-helper downloads no file through one. With
    `fetcher` None (offline) only lists that are local files are read.
    """
    uris = [uri for entry in entries for uri in entry.uris] + list(more)
    expanded = (root for uri in uris for root in _expanded(uri, fetcher, run))
    return tuple(dict.fromkeys(root.rstrip("/") for root in expanded))


def _expanded(uri: str, fetcher: AptFetcher | None, run: Run) -> tuple[str, ...]:
    found = _MIRROR.match(uri)
    if not found:
        return (uri,)
    kind, rest = found[1] or "http", found[2]
    if kind in ("file", "copy"):
        return tuple(_listed(Path("/" + rest.lstrip("/"))))
    if fetcher is None:
        return ()
    with tempfile.TemporaryDirectory(prefix="rearch-") as folder:
        place = Path(folder) / "list"
        fetcher.fetch((Order(f"{kind}:{rest}", place, None),), run, LIST_TIMEOUT)
        return tuple(_listed(place))


def _listed(path: Path) -> Iterator[str]:
    """The URIs of a mirror list: the first word of a line; `type:`, `arch:` and `priority:` follow after tabs."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield words[0]
