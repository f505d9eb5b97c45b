"""The sha256 of an archive that nobody has pinned yet."""

from __future__ import annotations

from rearch.app.upkeep_tree import workspace
from rearch.app.wiring import Adapters


def archive_sha256(adapters: Adapters, url: str) -> str:
    """Download it, once: it is kept for the build under its hash. Errors: those of host.http.download, OfflineError."""
    from rearch.formats.held import HeldDownloads
    from rearch.formats.urls import OfflineError, rewrite
    from rearch.host.http import download
    from rearch.host.sources.archive import file_name

    reach = rewrite(url, adapters.settings.mirrors)
    if adapters.settings.offline:
        raise OfflineError(file_name(url), reach)
    with workspace(adapters) as work:
        draft = work.scratch / "archive"
        found = download(
            reach,
            draft,
            sha256=None,
            limit=work.limits.download_bytes,
            timeout=adapters.settings.timeout,
            pause=adapters.processes.pause,
        )
        held = HeldDownloads(adapters.cache / "downloads")
        with held.locked([found]):
            held.accept(draft, found, found)
    return found
