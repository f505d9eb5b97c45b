"""A publish in a process of its own, to be killed; and a reader who believes no tag."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from rearch.oci.types import INDEXES, MANIFESTS
from tests.support.registry import Server

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.publishing", "rearch.app.publish", "rearch.publishing.layout_side"])


def publish_process(project: Path, to: Iterable[str]) -> ForkServerProcess:
    """A process that publishes all of output/ and ends with the exit code; Python is started already."""
    return _CONTEXT.Process(target=_publish, args=(project, tuple(to)))


def _publish(project: Path, to: tuple[str, ...]) -> None:
    from rearch.app.publish import PublishOrder, publish
    from rearch.app.request import Request
    from rearch.report import silent

    result = publish(Request(project=project), PublishOrder(to=to), silent)
    for where, error in result.errors:
        print(error.render(where))  # noqa: T201 - for whoever looks why the test failed
    raise SystemExit(int(result.exit_code))


class Reader:
    """Reads tags all the time with everything below them; `faults` says what was not there. For one thread."""

    def __init__(self, server: Server, tags: Iterable[tuple[str, str]]) -> None:
        self._server = server
        self._tags = tuple(tags)
        self.faults: list[str] = []
        self.rounds = 0
        self.seen: set[str] = set()

    def look(self) -> None:
        """Once at each tag."""
        connection = http.client.HTTPConnection(self._server.host, timeout=20)
        try:
            for repository, tag in self._tags:
                self._tag(connection, repository, tag)
        finally:
            connection.close()
        self.rounds += 1

    def _tag(self, connection: http.client.HTTPConnection, repository: str, tag: str) -> None:
        status, data = self._ask(connection, "GET", repository, f"manifests/{tag}")
        if status == 404:
            return
        self.seen.add(f"{repository} {json.loads(data)['manifests'][0]['digest']}")
        for child in json.loads(data)["manifests"]:
            status, manifest = self._ask(connection, "GET", repository, f"manifests/{child['digest']}")
            if status != 200:
                self.faults.append(f"{repository}:{tag}: {child['digest']} is missing ({status})")
                continue
            found = json.loads(manifest)
            for blob in (found["config"], *found["layers"]):
                status, _ = self._ask(connection, "HEAD", repository, f"blobs/{blob['digest']}")
                if status != 200:
                    self.faults.append(f"{repository}:{tag}: the blob {blob['digest']} is missing ({status})")

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, repository: str, rest: str
    ) -> tuple[int, bytes]:
        """Again where the registry stumbles: it writes its links (of a tag, too) without a rename, and says 500 when
        it is asked at that moment. Clients ask again, too."""
        status, data = self._once(connection, method, repository, rest)
        for _ in range(20):
            if status < 500:
                break
            time.sleep(0.01)
            status, data = self._once(connection, method, repository, rest)
        return status, data

    def _once(
        self, connection: http.client.HTTPConnection, method: str, repository: str, rest: str
    ) -> tuple[int, bytes]:
        connection.request(method, f"/v2/{repository}/{rest}", headers={"Accept": ", ".join((*INDEXES, *MANIFESTS))})
        answer = connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def reading(reader: Reader) -> Iterator[Reader]:
    """It reads for as long as the block runs."""
    end = threading.Event()

    def read() -> None:
        while not end.wait(0.03):
            reader.look()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield reader
    finally:
        end.set()
        thread.join()
