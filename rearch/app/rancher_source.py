"""A Rancher server as the source of a bundle: `rearch bundle ... --from URL --item pyagent`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rearch.model.limits import Limits


def agent_keys(environment: Mapping[str, str]) -> tuple[str, str]:
    """Access key and secret key: REARCH_RANCHER_ACCESS_KEY and _SECRET_KEY, else CATTLE_ACCESS_KEY and _SECRET_KEY.

    Both of one pair: half a pair is an error, and is not filled from the other. Errors: NoKeys.
    """
    from rearch.host.rancher.errors import NoKeys

    for prefix in ("REARCH_RANCHER", "CATTLE"):
        names = (f"{prefix}_ACCESS_KEY", f"{prefix}_SECRET_KEY")
        missing = [name for name in names if not environment.get(name)]
        if not missing:
            return environment[names[0]], environment[names[1]]
        if len(missing) == 1:
            raise NoKeys(missing)
    raise NoKeys(("REARCH_RANCHER_ACCESS_KEY", "REARCH_RANCHER_SECRET_KEY"))


def fetch_item(
    server: str,
    item: str,
    into: Path,
    *,
    access_key: str,
    secret_key: str,
    cache: Path | None = None,
    limits: Limits | None = None,
    timeout: float = 30.0,
    progress: Callable[[int, int], None] | None = None,
    offline: bool = False,
) -> Path:
    """Fetch a content item's archive from a Rancher 1.x server, as an agent does, into the folder `into`.

    `server` is the API's address, `http://host:8080/v1`; `item` is `pyagent`, `host-api` or `configscripts`. The answer
    is `into/<item>.tar.gz`: a gzip tar of one root folder whose SHA1SUMS and SHA1SUMSSUM were checked. `cache` (the
    project's cache folder) keeps the last answer: with it an unchanged item is not sent again (ETag), and a
    transfer that was cut off goes on. `timeout` in seconds without any byte; `progress` is told (bytes so far, all).

    Errors: BadServer, UnknownItem (2); KeysRefused, NoItem, Refused (1); NotContent, BadSums, ArchiveError (3);
    NoAnswer, OfflineError (75); TooLarge (3).
    """
    from rearch.host.rancher.content import ContentClient

    client = ContentClient(
        server,
        access_key=access_key,
        secret_key=secret_key,
        cache=cache,
        limits=limits or Limits(),
        timeout=timeout,
        offline=offline,
    )
    return client.fetch(item, into, progress)
