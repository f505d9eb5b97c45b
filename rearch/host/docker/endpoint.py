"""Where the Docker engine is, as the docker command line finds it: a host, a context, or the default socket.

The order is the client's own (docs.docker.com, "docker context": DOCKER_HOST overrides DOCKER_CONTEXT overrides
`currentContext` of config.json). It is resolved once, so that the client that builds and the SDK mean the same engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from rearch.host.docker.errors import BadEngine, UnknownContext

DEFAULT = "unix:///var/run/docker.sock"
SCHEMES = ("unix", "tcp", "ssh")


class Endpoint(Struct, frozen=True, kw_only=True):
    """An engine's address. `where` says who gave it. `certificates` is a folder with ca.pem, cert.pem and key.pem for
    TLS, `verify` whether the server's name is checked."""

    url: str
    where: str
    certificates: Path | None = None
    verify: bool = True

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def socket(self) -> Path:
        """The path of a unix:// address."""
        return Path(urlsplit(self.url).path)


def find_endpoint(engine: str, environment: Mapping[str, str], where: str = "builders") -> Endpoint:
    """The engine of that address, which `where` gave; empty: the one that the environment or the user's docker
    configuration names.

    Errors: BadEngine, UnknownContext.
    """
    if engine:
        return _checked(Endpoint(url=engine, where=where, **_tls(engine, environment)))
    if host := environment.get("DOCKER_HOST", ""):
        return _checked(Endpoint(url=host, where="DOCKER_HOST", **_tls(host, environment)))
    name, where = environment.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    folder = configuration(environment)
    if not name and folder is not None:
        file = folder / "config.json"
        name, where = _text(_document(file), "currentContext"), str(file)
    if name and name != "default":
        assert folder is not None or where == "DOCKER_CONTEXT"
        return _checked(_context(name, where, folder))
    return Endpoint(url=DEFAULT, where="the default")


def configuration(environment: Mapping[str, str]) -> Path | None:
    """The folder of docker's own settings; None where not even HOME is known."""
    if given := environment.get("DOCKER_CONFIG"):
        return Path(given)
    home = environment.get("HOME")
    return Path(home) / ".docker" if home else None


def _tls(url: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, which go with tcp:// alone."""
    path = environment.get("DOCKER_CERT_PATH", "")
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not url.startswith("tcp:") or not (path or verify):
        return {}
    folder = Path(path) if path else configuration(environment)
    return {"certificates": folder, "verify": verify}


def _context(name: str, where: str, folder: Path | None) -> Endpoint:
    """A context as the client stores it: contexts/meta/<sha256 of its name>/meta.json, keys in contexts/tls/."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = None if folder is None else folder / "contexts" / "meta" / key / "meta.json"
    if folder is None or meta is None or not meta.is_file():
        raise UnknownContext(name, where)
    endpoints = _document(meta).get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = _text(docker, "Host") or DEFAULT
    keys = folder / "contexts" / "tls" / key / "docker"
    skip = isinstance(docker, dict) and docker.get("SkipTLSVerify") is True
    certificates = keys if keys.is_dir() else None
    return Endpoint(url=host, where=f"docker context {name}", certificates=certificates, verify=not skip)


def _document(file: Path) -> dict[str, Any]:
    """A JSON file of docker's; empty when it is not there. Errors: BadEngine when it cannot be read."""
    try:
        value = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadEngine(file.name, str(file), str(error)) from None
    return value if isinstance(value, dict) else {}


def _text(document: object, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def _checked(endpoint: Endpoint) -> Endpoint:
    """The endpoint, if it is one that can be reached from here, and no option of a program that it is handed to."""
    url, where = endpoint.url, endpoint.where
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadEngine(url, where, str(error)) from None
    if parts.scheme not in SCHEMES:
        raise BadEngine(url, where, f"it begins with none of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if parts.scheme == "unix" and (parts.netloc or not parts.path.startswith("/")):
        raise BadEngine(url, where, "the path of the socket must begin with /")
    if parts.scheme != "unix" and not _host_is_plain(parts.hostname, parts.username):
        raise BadEngine(url, where, "it names no host")
    if parts.scheme == "tcp" and port is None:
        raise BadEngine(url, where, "it names no port (2376 with TLS, 2375 without)")
    if parts.password:
        raise BadEngine(url.replace(parts.password, "***"), where, "a password does not belong there")
    return endpoint


def _host_is_plain(host: str | None, user: str | None) -> bool:
    """Not empty, and nothing that ssh would take for an option."""
    return bool(host) and all(not (word or "").startswith("-") and " " not in (word or "") for word in (host, user))
