"""Blobs into a repository from another one of the same registry, without a byte sent.

Distribution specification 1.1, "Mounting a blob from another repository": one request each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from urllib.parse import quote

from rearch.errors import RearchError
from rearch.model.reference import Reference
from rearch.registry.caller import Answer, Call
from rearch.registry.client import RegistryClient
from rearch.registry.errors import LoginWanted, NotInRegistry, RegistryRefused
from rearch.registry.mirrors import mirrored
from rearch.registry.push_errors import NoSuchRepository, ReadOnlyRegistry
from rearch.registry.scopes import push_scopes
from rearch.registry.upload_place import next_location

_CREATED = 201


class Mounter:
    """Mounts, in all registries of a run. `mirrors`: the settings of that name. For several threads."""

    def __init__(self, client: RegistryClient, mirrors: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._client = client
        self._mirrors = mirrors
        self._say = say
        # Target and source of mounts that were refused: asking again is of no use.
        self._closed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def is_home(self, target: Reference, source: Reference) -> bool:
        """Whether what is read at `source` is in the target's repository already."""
        return mirrored(source, self._mirrors).place == target.place

    def sources(self, target: Reference, source: Reference) -> tuple[str, ...]:
        """Repositories of the target's registry that have what `source` has: the one that it names, its mirror."""
        places = (source, mirrored(source, self._mirrors))
        return tuple(dict.fromkeys(each.repository for each in places if each.registry == target.registry))

    def mount(self, target: Reference, digest: str, repository: str) -> bool:
        """Ask for a mount of the blob from `repository`; whether it is in the target's repository now.

        Who answers with the beginning of an upload does not mount from there, and is not asked again. Errors: those of
        Caller.ask, but for a refusal: if it is the target that refuses, sending the bytes will say so, and better.
        """
        if (target.place, repository) in self._closed:
            return False
        what = f"{target.place}: blob {digest[:19]}... from {repository}"
        query = f"?mount={quote(digest)}&from={quote(repository, safe='')}"
        call = Call(
            method="POST",
            registry=target.registry,
            path=f"/v2/{target.repository}/blobs/uploads/{query}",
            what=what,
            scopes=push_scopes(target.repository) | {f"repository:{repository}:pull"},
            good=(201, 202),
        )
        try:
            answer = self._client.caller.ask(call, 1 << 16)
        except (LoginWanted, NotInRegistry, RegistryRefused, NoSuchRepository, ReadOnlyRegistry):
            self._close(target, repository)
            return False
        if answer.status == _CREATED:
            return True
        self._close(target, repository)
        self._cancel(target, answer, what)
        return False

    def _close(self, target: Reference, repository: str) -> None:
        with self._lock:
            self._closed.add((target.place, repository))

    def _cancel(self, target: Reference, answer: Answer, what: str) -> None:
        """Forget the upload that was begun for nothing. The registry would, after days: no failure matters."""
        try:
            home = self._client.caller.wire.sites.of_registry(target.registry).url
            call = Call(
                method="DELETE",
                registry=target.registry,
                path=next_location(answer, what, target.registry, home),
                what=what,
                scopes=push_scopes(target.repository),
                good=(200, 202, 204, 404, 405),
            )
            self._client.caller.ask(call, 1 << 16)
        except RearchError as error:
            self._say(f"{what}: an upload was begun and could not be ended: {error.summary}")
