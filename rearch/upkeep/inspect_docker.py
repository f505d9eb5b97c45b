"""What upstream's Dockerfile makes of the programs, as far as an image of ours can be like it."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator

from msgspec import Struct

from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.dockerfile.instructions import (
    Add,
    Cmd,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    Run,
    Stage,
    User,
    Volume,
    Words,
    Workdir,
)
from rearch.oci.dockerfile.parse import parse_dockerfile
from rearch.upkeep.inspect_tree import SourceTree, folder_of, is_vendored

_FIRST = ("package/Dockerfile", "Dockerfile", "docker/Dockerfile", "build/Dockerfile", "deploy/Dockerfile")
_INSTALL = re.compile(r"\b(?:apt-get|apt|apk|yum|microdnf|dnf|zypper)\b[^;&|]*?\s(?:install|add)\s(?P<rest>[^;&|]*)")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_URL = re.compile(r"https?://[^\s\"'|;&)]+")
_TIDY = re.compile(r"(?:apt-get|apt|apk|yum|microdnf|dnf|zypper|rm\s+-rf?\s+/var|update-ca-certificates)\b|set\s+-")
_SHELLS = re.compile(r"(?:\.sh|\.bash)$")


class Taken(Struct, frozen=True, kw_only=True):
    """A file that the image gets. `source` is a path of the tree, or None with `why` in words; `binary`: a program."""

    where: str
    to: str
    source: str | None = None
    binary: str | None = None
    mode: str = ""
    why: str = ""


class DockerFacts(Struct, frozen=True, kw_only=True):
    """The last stage. `left` are lines that no recipe can carry over, each with its place."""

    file: str
    base: str
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    env: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    user: str
    workdir: str
    files: tuple[Taken, ...]
    packages: tuple[str, ...]
    downloads: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str], ...]
    scripts: bool
    others: tuple[str, ...]


class Unread(Struct, frozen=True, kw_only=True):
    """A Dockerfile that is there and cannot be read."""

    file: str
    why: str


def read_dockerfile(tree: SourceTree, binaries: tuple[str, ...]) -> DockerFacts | Unread | None:
    """The Dockerfile that packs the programs; None where there is none."""
    candidates = _candidates(tree)
    if not candidates:
        return None
    file = next((one for one in candidates if _mentions(tree.read(one), binaries)), candidates[0])
    try:
        parsed = parse_dockerfile(tree.read(file), file)
    except BadDockerfile as error:
        return Unread(file=file, why="; ".join((error.summary, *error.details[:1])))
    return _Reading(tree, file, parsed, binaries).facts(tuple(one for one in candidates if one != file))


def _candidates(tree: SourceTree) -> list[str]:
    found = [path for path in tree.paths if path.rpartition("/")[2] == "Dockerfile" and not is_vendored(path)]
    order = {path: number for number, path in enumerate(_FIRST)}
    near = [path for path in found if path.count("/") <= 3 and "test" not in path]
    return sorted(near, key=lambda path: (order.get(path, len(order)), path.count("/"), path))


def _mentions(text: str, binaries: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?:COPY|ADD)\s[^\n]*\b{re.escape(name)}\b", text) for name in binaries)


class _Reading:
    """One Dockerfile's last stage."""

    def __init__(self, tree: SourceTree, file: str, parsed: Dockerfile, binaries: tuple[str, ...]) -> None:
        self._tree = tree
        self._file = file
        self._parsed = parsed
        self._binaries = binaries
        self._stage = parsed.stages[-1]
        self._env: dict[str, str] = {}

    def facts(self, others: tuple[str, ...]) -> DockerFacts:
        stage = self._stage
        self._env = {name: value for each in self._each(Env) for name, value in each.pairs}
        files = tuple(self._files(stage))
        entry, command = self._last(Entrypoint), self._last(Cmd)
        runs = tuple((self._at(run), _script(run)) for run in self._each(Run))
        started = (*(entry or ()), *(command or ()))
        return DockerFacts(
            file=self._file,
            base=self._base(stage),
            entrypoint=entry,
            cmd=command,
            env=tuple((name, value) for name, value in self._env.items() if "$" not in value),
            ports=tuple(port for each in self._each(Expose) for port in each.ports if "$" not in port),
            volumes=tuple(path for each in self._each(Volume) for path in each.paths if path.startswith("/")),
            user=next((each.user for each in reversed(self._each(User)) if "$" not in each.user), ""),
            workdir=next((one.path for one in reversed(self._each(Workdir)) if one.path.startswith("/")), ""),
            files=files,
            packages=tuple(sorted({name for _, text in runs for name in _packages(text)})),
            downloads=tuple((at, url) for at, text in (*runs, *self._added()) for url in _URL.findall(text)),
            left=tuple((at, text) for at, text in runs if not _only_installs(text)),
            scripts=any(_SHELLS.search(name) for name in (*started, *(one.source or "" for one in files)))
            or any(name.rpartition("/")[2] in ("sh", "bash") for name in started),
            others=others,
        )

    def _base(self, stage: Stage) -> str:
        """What the chain of stages starts from, with the defaults of ARGs put in."""
        defaults = {name: value or "" for arg in self._parsed.arguments for name, value in arg.pairs}
        image = stage.start.image
        for _ in self._parsed.stages:
            earlier = next((one for one in self._parsed.stages if one.start.name == image.lower()), None)
            if earlier is None or earlier is stage:
                break
            image = earlier.start.image
        return re.sub(r"\$\{?(\w+)(?::-[^}]*)?\}?", lambda found: defaults.get(found[1]) or found[0], image)

    def _each(self, kind: type) -> list:  # type: ignore[type-arg]
        return [each for each in self._stage.instructions if isinstance(each, kind)]

    def _at(self, each: Run | Copy | Add) -> str:
        return f"{self._file}:{each.where.first}"

    def _last(self, kind: type[Entrypoint] | type[Cmd]) -> tuple[str, ...] | None:
        found = self._each(kind)
        return _argv(found[-1].command) if found else None

    def _added(self) -> Iterator[tuple[str, str]]:
        for each in self._each(Add):
            yield from ((self._at(each), source) for source in each.sources if source.startswith("http"))

    def _files(self, stage: Stage) -> Iterator[Taken]:
        for each in stage.instructions:
            if isinstance(each, Copy | Add):
                for source in each.sources:
                    if not source.startswith(("http://", "https://")):
                        yield self._taken(each, source)

    def _taken(self, each: Copy | Add, source: str) -> Taken:
        where, to = self._at(each), self._target(each.target, several=len(each.sources) > 1)
        mode = each.chmod or ""
        name = posixpath.basename(source.rstrip("/"))
        if name in self._binaries:
            return Taken(where=where, to=to, binary=name, mode=mode)
        from_stage = isinstance(each, Copy) and each.stage is not None
        if from_stage and posixpath.basename(to.rstrip("/")) in self._binaries:
            return Taken(where=where, to=to, binary=posixpath.basename(to), mode=mode)
        if from_stage:
            return Taken(where=where, to=to, why=f"{source} comes from another stage")
        found, why = self._find(source)
        return Taken(where=where, to=to, source=found, mode=mode, why=why)

    def _target(self, target: str, *, several: bool) -> str:
        workdir = next((one.path for one in reversed(self._each(Workdir)) if one.path.startswith("/")), "/")
        path = re.sub(r"\$\{?(\w+)\}?", lambda found: self._env.get(found[1], found[0]), target)
        whole = posixpath.normpath(posixpath.join(workdir, path)).replace("//", "/")
        folder = path.endswith("/") or path in (".", "") or several or whole == "/"
        return f"{whole.rstrip('/')}/" if folder else whole

    def _find(self, source: str) -> tuple[str | None, str]:
        """Below the Dockerfile's folder, then below the root (both are used as contexts), then by its name."""
        if any(sign in source for sign in "*?$["):
            return None, f"{source} is a pattern"
        plain = posixpath.normpath(source.lstrip("/"))
        for path in dict.fromkeys((posixpath.normpath(posixpath.join(folder_of(self._file), plain)), plain)):
            inside = any(one.startswith(f"{path}/") for one in self._tree.paths)
            if path != "." and (inside or path in self._tree.paths):
                return path, ""
        name = posixpath.basename(plain)
        same = sorted(one for one in self._tree.paths if posixpath.basename(one) == name and not is_vendored(one))
        if len(same) == 1 and name not in (".", ""):
            return same[0], f"there is no {plain}, but this file has its name; a script of upstream's may copy it there"
        return None, f"{source} is not in the repository; a script of upstream's makes it"


def _argv(command: Words) -> tuple[str, ...]:
    """The shell form of one plain command needs no shell: it is its words."""
    if not command.for_shell:
        return command.words
    text = command.words[0] if command.words else ""
    if re.search(r"[$`|;&<>*?(){}\n]", text):
        return ("/bin/sh", "-c", text)
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return ("/bin/sh", "-c", text)


def _script(run: Run) -> str:
    return " ".join((*run.command.words, *(one.text for one in run.heredocs)))


def _packages(text: str) -> Iterator[str]:
    for found in _INSTALL.finditer(text):
        for word in found["rest"].split():
            name = word.split("=")[0]
            if not word.startswith("-") and _PACKAGE.fullmatch(name):
                yield name


def _only_installs(text: str) -> bool:
    """Whether every command of a RUN installs packages, or tidies up after that."""
    commands = [one.strip() for one in re.split(r"&&|;|\|\||\n", text) if one.strip()]
    return all(_TIDY.match(one) for one in commands)
