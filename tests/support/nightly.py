"""What the nightly job works on: upstreams that move, a registry that comes and goes, somebody who gets messages."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rearch.oci.types import INDEXES
from tests.support.cli import Cli
from tests.support.go_project import GIT_HOST, program_files, write_file
from tests.support.registry import Server
from tests.support.repositories import Repository
from tests.support.warm_cache import demo

_RECIPE = """\
name: {name}
summary: A program that moves
version: v1.0.0
source: {{git: {host}/{name}, ref: {ref}}}
build:
  go:
    binaries: {{{name}: .}}
image:
  repository: {name}
  files:
    - {{binary: {name}, to: /usr/bin/{name}}}
  entrypoint: [/usr/bin/{name}]
"""


def moving_project(base: Path, branches: tuple[str, ...], tags: tuple[str, ...], *, settings: str = "") -> Cli:
    """Components that follow a branch, and others that are pinned to the tag v1.0.0; an image of each."""
    rearch = demo(base, *branches, *tags, upstreams=base / "upstreams", settings=settings)
    for name in (*branches, *tags):
        ref = "main" if name in branches else '"${{ version }}"'
        text = _RECIPE.format(name=name, host=GIT_HOST, ref=ref)
        write_file(rearch.project / f"recipes/demo/{name}.yaml", text)
    return rearch


def repository(base: Path, name: str) -> Repository:
    """The upstream of a component."""
    return Repository(base / "upstreams" / name)


def push(base: Path, name: str, greeting: str) -> str:
    """A new commit on the branch, which changes what is compiled; of `(` it does not compile."""
    files = dict(program_files(name))
    files["main.go"] = str(files["main.go"]).replace('greeting = "hello"', f'greeting = "{greeting}"')
    if greeting == "(":
        files["main.go"] = "package main\n\nfunc main() { ( }\n"
    return repository(base, name).commit(files, f"say {greeting}")


def release(base: Path, name: str, tag: str, greeting: str) -> None:
    """A commit as of `push`, and a tag on it."""
    push(base, name, greeting)
    repository(base, name).tag(tag)


def tags_of(server: Server, repository: str) -> Mapping[str, str]:
    """Tag -> digest, of all that the registry lists."""
    status, data, _ = ask(server, f"/v2/{repository}/tags/list")
    names = (json.loads(data)["tags"] or []) if status == 200 else []
    return {name: ask(server, f"/v2/{repository}/manifests/{name}", method="HEAD")[2] for name in names}


def manifests(server: Server, repository: str) -> set[str]:
    """The digests of all manifests that a repository holds, also those that no tag leads to; from the server's disk."""
    folder = server.storage / "docker/registry/v2/repositories" / repository / "_manifests/revisions/sha256"
    return {f"sha256:{link.parent.name}" for link in folder.glob("*/link")}


def ask(server: Server, path: str, method: str = "GET") -> tuple[int, bytes, str]:
    """Status, body, and the digest that the registry states."""
    request = urllib.request.Request(server.url + path, headers={"Accept": ", ".join(INDEXES)}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers.get("Docker-Content-Digest", "")
    except urllib.error.HTTPError as error:
        return error.code, b"", ""


@dataclass
class Inbox:
    """Somebody who gets messages. `messages`: what Apprise's json:// sent, in order; `status`: what is answered."""

    port: int = 0
    status: int = 200
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """With a secret in it, as all of them have."""
        return f"json://hook:s3cr3t-word@127.0.0.1:{self.port}/s3cr3t-path"

    @property
    def titles(self) -> list[str]:
        return [message["title"].partition(": ")[2] for message in self.messages]


@contextmanager
def inbox() -> Iterator[Inbox]:
    """For as long as the block runs."""
    box = Inbox()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if box.status == 200:
                box.messages.append(json.loads(body))
            self.send_response(box.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Not on the terminal."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    box.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
