"""Who we are to a registry: Docker's config.json and its helper programs.

The file's form is that of github.com/docker/cli, cli/config/configfile; the helpers' protocol that of
github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from rearch.errors import RearchError, UsageError
from rearch.formats.printable import printable
from rearch.formats.urls import masked_in
from rearch.model.command import Command, Completed
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.reference import HUB

HUB_KEY = "https://index.docker.io/v1/"
# What helpers say for the user where the secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 - no secret, a mark
_HELPER = re.compile(r"[A-Za-z0-9_.-]+")
_HELPER_SECONDS = 60.0
_CONFIG_LIMIT = 4 << 20
_NOT_FOUND = ("credentials not found", "no credentials server url", "no credentials username")


class Credential(Struct, frozen=True, kw_only=True):
    """A login. `secret` is a password, or with `identity` a token that is exchanged for others (OAuth2)."""

    user: str
    secret: str
    identity: bool = False

    def __repr__(self) -> str:
        return f"Credential(user={self.user!r}, identity={self.identity})"

    @property
    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


class Login(Struct, frozen=True, kw_only=True):
    """What was found for a registry. `source` says where, for messages; `trouble` why there is nothing."""

    credential: Credential | None = None
    source: str = ""
    trouble: str = ""

    @property
    def who(self) -> str:
        """For messages: `as alice (docker-credential-pass)`, `without a login`."""
        if self.credential is None:
            return "without a login"
        if self.credential.identity:
            return f"with an identity token ({self.source})"
        return f"as {printable(self.credential.user)} ({self.source})"


class Credentials(Protocol):
    """Where logins come from."""

    def find(self, registry: str) -> Login:
        """The login for a reference's registry (`docker.io`, `localhost:5000`). Errors: BadDockerConfig."""


class Anonymous:
    """No login for anybody."""

    def find(self, registry: str) -> Login:
        """As Credentials."""
        del registry
        return Login()


class BadDockerConfig(UsageError):
    """Docker's config.json cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}", hint="`docker login` writes it; DOCKER_CONFIG names its folder")


class _Config(Struct, frozen=True, kw_only=True):
    """The parts of config.json that we read."""

    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=FrozenDict)
    helpers: Mapping[str, str] = field(default_factory=FrozenDict)
    store: str = ""

    def __repr__(self) -> str:
        return f"_Config(auths of {sorted(self.auths)}, helpers={self.helpers!r}, store={self.store!r})"


class DockerConfig:
    """Logins as the docker command finds them, with one difference for the better.

    The order: `explicit`; the helper program of the registry (`credHelpers`, else `credsStore`); `auths` in the file.
    Docker itself does not look into the file when it has a helper; here a login that is there counts. `environment`
    is the user's, whole: helpers need HOME, AWS_..., a D-Bus address. `run` must not log what a helper prints. A
    helper that fails is no error: most images can be had without a login, and where not, the error tells of it.
    Everything is asked for once in a run. For several threads.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        run: Callable[[Command], Completed],
        explicit: Mapping[str, Credential] = NOTHING,
    ) -> None:
        self._environment = environment
        self._run = run
        self._explicit = explicit
        self._lock = threading.Lock()
        self._config: _Config | None = None
        self._found: dict[str, Login] = {}

    @property
    def path(self) -> Path:
        """`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`."""
        folder = self._environment.get("DOCKER_CONFIG")
        home = Path(self._environment["HOME"]) if self._environment.get("HOME") else Path.home()
        return (Path(folder) if folder else home / ".docker") / "config.json"

    def find(self, registry: str) -> Login:
        """As Credentials. Errors: BadDockerConfig."""
        with self._lock:
            if registry not in self._found:
                self._found[registry] = self._look(registry)
            return self._found[registry]

    def _look(self, registry: str) -> Login:
        if registry in self._explicit:
            return Login(credential=self._explicit[registry], source="given by hand")
        self._config = self._config or _read(self.path)
        key = HUB_KEY if registry == HUB else registry
        names = {_host(name): helper for name, helper in self._config.helpers.items()}
        helper = names.get(_host(key)) or self._config.store
        login = self._ask(helper, key) if helper else Login()
        if login.credential is None and (entry := _entry(self._config, key)):
            return Login(credential=_decoded(entry, key, self.path), source=str(self.path))
        return login

    def _ask(self, helper: str, key: str) -> Login:
        program = f"docker-credential-{helper}"
        if not _HELPER.fullmatch(helper):
            return Login(trouble=f"{printable(repr(helper))} is no name of a credential helper")
        try:
            done = self._run(_command(program, key, self._environment))
        except RearchError as error:
            return Login(trouble=f"no login from {program}: {error.summary}")
        if done.exit != 0:
            said = done.output.strip()
            if any(words in said.lower() for words in _NOT_FOUND):
                return Login()
            why = printable(masked_in(said.splitlines()[-1])[:200]) if said else "it says nothing"
            return Login(trouble=f"no login from {program}: {'it takes too long' if done.exit is None else why}")
        credential = _answer(done.output)
        if credential is None:
            return Login(trouble=f"no login from {program}: what it prints is not an answer")
        return Login(credential=credential, source=program)


def _command(program: str, key: str, environment: Mapping[str, str]) -> Command:
    return Command(
        argv=(program, "get"),
        cwd=Path("/"),
        env=tuple(sorted(environment.items())),
        stdin=key.encode() + b"\n",
        timeout=_HELPER_SECONDS,
    )


def _answer(output: str) -> Credential | None:
    """The JSON object that a helper prints; warnings on stderr may stand around it."""
    decoder = json.JSONDecoder()
    for start in (found.start() for found in re.finditer(r"\{", output)):
        try:
            value, _ = decoder.raw_decode(output, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("Secret"), str) and value["Secret"]:
            user = str(value.get("Username", ""))
            return Credential(
                user="" if user == _TOKEN_USER else user, secret=value["Secret"], identity=user == _TOKEN_USER
            )
    return None


def _read(path: Path) -> _Config:
    try:
        with path.open("rb") as file:
            data = file.read(_CONFIG_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return _Config()
    except OSError as error:
        raise BadDockerConfig(path, error.strerror or "it cannot be read") from None
    try:
        found = json.loads(data or b"{}") if len(data) <= _CONFIG_LIMIT else None
    except (ValueError, RecursionError):
        # Not chained: the parser's error holds the whole text, with the passwords.
        raise BadDockerConfig(path, "it is not JSON") from None
    if not isinstance(found, dict):
        raise BadDockerConfig(path, "it is not a JSON object")
    auths = {key: value for key, value in _object(found, "auths", path).items() if isinstance(value, dict)}
    helpers = {key: value for key, value in _object(found, "credHelpers", path).items() if isinstance(value, str)}
    store = found.get("credsStore")
    return _Config(auths=FrozenDict(auths), helpers=FrozenDict(helpers), store=store if isinstance(store, str) else "")


def _object(found: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    value = found.get(name) or {}
    if not isinstance(value, dict):
        raise BadDockerConfig(path, f"{name} is not a JSON object")
    return value


def _entry(config: _Config, key: str) -> Mapping[str, Any] | None:
    """The entry with a login in it; `docker login` leaves empty ones where a helper has the secret."""
    entries = [config.auths[key]] if key in config.auths else []
    entries += [entry for name, entry in config.auths.items() if _host(name) == _host(key)]
    return next(
        (entry for entry in entries if any(entry.get(part) for part in ("auth", "identitytoken", "password"))), None
    )


def _host(key: str) -> str:
    """What is compared: old entries are URLs (`https://host/v1/`), new ones hosts."""
    return re.sub(r"^https?://", "", key).partition("/")[0].lower()


def _decoded(entry: Mapping[str, Any], key: str, path: Path) -> Credential:
    user, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BadDockerConfig(path, f"`auth` of {_host(key)} is not the base64 of user:password") from None
        user, colon, secret = text.partition(":")
        if not colon:
            raise BadDockerConfig(path, f"`auth` of {_host(key)} is not the base64 of user:password")
        secret = secret.rstrip("\0")
    if entry.get("identitytoken"):
        return Credential(user=user, secret=str(entry["identitytoken"]), identity=True)
    return Credential(user=user, secret=secret)
