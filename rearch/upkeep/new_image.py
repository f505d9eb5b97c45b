"""The `image:` part of a new recipe: what can be said without running the Dockerfile, and what cannot."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from rearch.upkeep.inspect import Inspection
from rearch.upkeep.inspect_docker import DockerFacts, Taken, Unread
from rearch.upkeep.new_page import Page, mapping, scalar, sequence

SUITE = "bookworm"
# What shell scripts take for granted: nothing is in a base of packages by itself.
_USERLAND = ("base-files", "bash", "coreutils", "dash", "grep", "sed")
# Names that Alpine, or older releases of Debian and Ubuntu, have for what bookworm calls otherwise; "": not needed.
_RENAMED = {
    "build-base": "", "gcc": "", "git": "", "make": "", "musl-dev": "", "libc-dev": "", "libc6-compat": "", "gnupg": "",
    "apt-transport-https": "", "software-properties-common": "", "openssh-client": "openssh-client",
    "bind-tools": "dnsutils", "iputils": "iputils-ping", "netcat": "netcat-openbsd", "python": "python3",
    "py-pip": "", "python-pip": "", "shadow": "passwd", "vim": "vim-tiny", "docker": "docker.io",
}  # fmt: skip
_INITS = {"tini": "tini", "dumb-init": "dumb-init", "gosu": "gosu", "su-exec": "gosu"}


def write_image(page: Page, found: Inspection, name: str) -> None:
    """Nothing but a comment where there is no Dockerfile that could be read."""
    match found.docker:
        case None:
            page.note("No Dockerfile was found, so no image is made: see docs/images.md for `image:`.")
        case Unread(file=file, why=why):
            page.note(f"DOUBTFUL: {file} cannot be read ({why}), so no image is made: see docs/images.md.")
        case DockerFacts() as docker:
            _write(page, found, docker, name)


def _write(page: Page, found: Inspection, docker: DockerFacts, name: str) -> None:
    page.notes(_remarks(docker))
    page.put("image")
    page.put("repository", scalar(name), 1)
    _base(page, found, docker)
    _files(page, found, docker)
    _start(page, found, docker)
    _smoke(page, found, docker)


def _remarks(docker: DockerFacts) -> Iterator[str]:
    yield f"From {docker.file}, which starts FROM {docker.base}. Nothing is run: packages are unpacked, files copied."
    if docker.others:
        yield f"DOUBTFUL: there are more Dockerfiles, not looked at: {', '.join(docker.others[:6])}."
    for where, url in docker.downloads:
        yield f"DOUBTFUL: {where} downloads {url}, which is not in this image; is it for x86 alone?"
    for where, text in docker.left:
        yield f"DOUBTFUL: {where} runs what no recipe can carry over: {text[:90]}"


def _needs_userland(found: Inspection, docker: DockerFacts) -> bool:
    return docker.scripts or bool(docker.packages) or (bool(found.c) and found.c[0].needed and _dynamic(found))


def _dynamic(found: Inspection) -> bool:
    return any(use.needed and use.libraries for use in found.c)


def _base(page: Page, found: Inspection, docker: DockerFacts) -> None:
    if not _needs_userland(found, docker):
        if docker.base != "scratch":
            page.note("A static program needs no base. What it reads of one (certificates, time zones) is to add.", 1)
        return
    packages = _packages(found, docker)
    page.put("template", "debian-service", 1)
    page.put("base", "", 1)
    page.put("debian", SUITE, 2)
    gone = [one for one in docker.packages if _RENAMED.get(one) == ""]
    other = [f"{one} is {_RENAMED[one]}" for one in docker.packages if _RENAMED.get(one, one) not in ("", one)]
    page.note(f"What {docker.file} installs, and what its scripts may call (doubtful: cut it down).", 2)
    if gone or other:
        page.note(f"DOUBTFUL: {'; '.join([*other, *(f'{one} is left out' for one in gone)])}.", 2)
    page.long("packages", packages, 2)
    if "ca-certificates" in packages:
        page.put("ca_certificates", "true", 2)


def _packages(found: Inspection, docker: DockerFacts) -> tuple[str, ...]:
    asked = {_RENAMED.get(name, name) for name in docker.packages} - {""}
    inits = {_INITS[name] for word in _started(docker) if (name := posixpath.basename(word)) in _INITS}
    libc = {"libc6"} if _dynamic(found) else set()
    return tuple(sorted({*_USERLAND, *asked, *inits, *libc}))


def _started(docker: DockerFacts) -> tuple[str, ...]:
    return (*(docker.entrypoint or ()), *(docker.cmd or ()))


def _files(page: Page, found: Inspection, docker: DockerFacts) -> None:
    page.put("files", "", 1)
    there = set()
    for taken in docker.files:
        if taken.binary is None and taken.source is None:
            page.note(f"DOUBTFUL: {taken.where}: not copied to {taken.to}: {taken.why}.", 2)
            continue
        if taken.why:
            page.note(f"DOUBTFUL: {taken.where}: {taken.why}.", 2)
        there.add(taken.binary)
        page.item(_file(taken), 2)
    for name in found.binaries:
        if name not in there:
            page.note(f"{docker.file} does not say where {name} goes." if there else "Where it goes is a guess.", 2)
            page.item(mapping({"binary": scalar(name), "to": "/usr/bin/"}), 2)


def _smoke(page: Page, found: Inspection, docker: DockerFacts) -> None:
    """The checks of the binaries again, in the image's own tree."""
    if not found.helps:
        return
    places = {taken.binary: taken.to for taken in docker.files if taken.binary}
    page.put("smoke", "", 1)
    for one in found.helps:
        to = places.get(one.name, "/usr/bin/")
        path = f"{to}{one.name}" if to.endswith("/") else to
        page.item(mapping({"run": sequence((path, "--help")), "expect": scalar(one.expect)}), 2)


def _file(taken: Taken) -> str:
    what = {"binary": taken.binary} if taken.binary else {"source": taken.source}
    mode = taken.mode or ("0755" if taken.source and taken.source.endswith(".sh") else "")
    values = {key: scalar(value or "") for key, value in what.items()} | {"to": scalar(taken.to)}
    return mapping(values | ({"mode": f'"{mode}"'} if mode.isdigit() else {}))


def _start(page: Page, found: Inspection, docker: DockerFacts) -> None:
    if docker.env:
        page.put("env", mapping({name: scalar(value) for name, value in docker.env}), 1)
    if docker.ports:
        page.put("ports", sequence(docker.ports), 1)
    if docker.volumes:
        page.put("volumes", sequence(docker.volumes), 1)
    if docker.workdir:
        page.put("workdir", scalar(docker.workdir), 1)
    if docker.user:
        page.put("user", scalar(docker.user), 1)
    entry, command = _replaced(page, docker)
    if entry is None and command is None and len(found.binaries) == 1:
        page.note(f"{docker.file} names no program to start.", 1)
        entry = tuple(found.binaries)
    if entry is not None:
        page.put("entrypoint", sequence(entry), 1)
    if command is not None:
        page.put("cmd", sequence(command), 1)


def _replaced(page: Page, docker: DockerFacts) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """An init that was downloaded for x86 comes from Debian here, where there are packages at all."""
    entry = docker.entrypoint
    if entry and posixpath.basename(entry[0]) in _INITS and entry[0] != f"/usr/bin/{posixpath.basename(entry[0])}":
        name = _INITS[posixpath.basename(entry[0])]
        if docker.scripts or docker.packages:
            page.note(f"DOUBTFUL: upstream's is {entry[0]}; this is Debian's.", 1)
            entry = (f"/usr/bin/{name}" if name != "gosu" else "/usr/sbin/gosu", *entry[1:])
        else:
            page.note(f"DOUBTFUL: {entry[0]} is left out: there is no base that could bring it.", 1)
            entry = tuple(word for word in entry[1:] if word not in ("--", "-g")) or None
    return entry, docker.cmd
