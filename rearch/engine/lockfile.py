"""rearch.lock on disk: JSON, sorted, one line a field, so that a diff reads well in a review."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rearch.engine.durable import write_whole
from rearch.errors import UsageError
from rearch.model.digest import Digest
from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, Identity, Lock, PinnedBase, PinnedPackages, PinnedTool, Sysroot
from rearch.model.platform import parse_platform
from rearch.model.source import DebianFile, DebianPackage, PinnedArchive, PinnedDebian, PinnedGit

FORMAT = 1


class BadLock(UsageError):
    """rearch.lock cannot be read."""

    advice = "take it back from version control, or delete it and run `invoke lock`"

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}", hint=self.advice)


class MergedLock(BadLock):
    """A merge of two branches left its marks in rearch.lock."""

    advice = "`git checkout --ours rearch.lock`, then `invoke lock` resolves what the other side had"

    def __init__(self, path: Path) -> None:
        super().__init__(path, "a merge left conflict marks in it")


def read_lock(path: Path) -> Lock:
    """The lock of a project; an empty one when there is no file. Errors: BadLock."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise BadLock(path, f"not readable ({error})") from None
    return parse_lock(path, text)


def parse_lock(path: Path, text: bytes | str) -> Lock:
    """The lock of a file's text; `path` is where it stands. Errors: BadLock."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise MergedLock(path) if _has_marks(text) else BadLock(path, f"not readable as JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BadLock(path, f"not a lock of format {FORMAT}")
    try:
        return Lock(FrozenDict({name: _entry(item) for name, item in data["names"].items()}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadLock(path, f"an entry is malformed ({error!r})") from None


def _has_marks(text: bytes | str) -> bool:
    lines = (text if isinstance(text, bytes) else text.encode()).splitlines()
    return any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in lines)


def write_lock(path: Path, lock: Lock) -> bool:
    """Write it if its text differs; True when it did."""
    text = lock_text(lock)
    if path.exists() and path.read_text() == text:
        return False
    write_whole(path, text.encode())
    return True


def lock_text(lock: Lock) -> str:
    """The file's text: the same for the same entries."""
    names = {name: _plain(entry) for name, entry in sorted(lock.entries.items())}
    return json.dumps({"format": FORMAT, "names": names}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(entry: Entry) -> dict[str, Any]:
    return {"needed_by": list(entry.needed_by), **_identity_out(entry.identity)}


def _identity_out(identity: Identity) -> dict[str, Any]:
    match identity:
        case PinnedGit():
            return {
                "kind": "git",
                "url": identity.url,
                "ref": identity.ref,
                "commit": identity.commit,
                "time": identity.time,
                "submodules": identity.submodules,
            }
        case PinnedDebian():
            return {
                "kind": "debian",
                "package": identity.package,
                "version": identity.version,
                "time": identity.time,
                "files": [_file_out(file) for file in identity.files],
                "build_packages": [_package_out(package) for package in identity.build_packages],
            }
        case Sysroot():
            return {"kind": "sysroot", "packages": [_package_out(package) for package in identity.packages]}
        case PinnedBase():
            return {
                "kind": "base",
                "reference": identity.reference,
                "digest": identity.digest,
                "platforms": dict(identity.platforms),
            }
        case PinnedPackages():
            packages = [_package_out(package) for package in identity.packages]
            return {"kind": "packages", "time": identity.time, "packages": packages}
        case PinnedArchive():
            return {"kind": "archive", "url": identity.url, "sha256": identity.sha256, "strip": identity.strip}
        case PinnedTool():
            place = {"package": identity.package} if identity.package else {"url": identity.url}
            return {"kind": "toolchain", "version": identity.version, "sha256": identity.sha256, **place}


def _file_out(file: DebianFile) -> dict[str, Any]:
    return {"path": file.path, "size": file.size, "sha256": file.sha256}


def _package_out(package: DebianPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        **_file_out(package.file),
    }


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(identity=_identity_in(item), needed_by=tuple(_texts(item["needed_by"])))


def _texts(items: object) -> list[str]:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of texts is wanted")
    return items


def _identity_in(item: Mapping[str, Any]) -> Identity:
    match item["kind"]:
        case "git":
            return PinnedGit(
                url=str(item["url"]),
                ref=str(item["ref"]),
                commit=_commit(item["commit"]),
                time=int(item["time"]),
                submodules=bool(item["submodules"]),
            )
        case "debian":
            return PinnedDebian(
                package=str(item["package"]),
                version=str(item["version"]),
                time=int(item["time"]),
                files=tuple(_file_in(file) for file in item["files"]),
                build_packages=tuple(_package_in(package) for package in item["build_packages"]),
            )
        case "sysroot":
            return Sysroot(packages=tuple(_package_in(package) for package in item["packages"]))
        case "packages":
            packages = tuple(_package_in(package) for package in item["packages"])
            return PinnedPackages(packages=packages, time=int(item["time"]))
        case "archive":
            return PinnedArchive(url=str(item["url"]), sha256=_sha256(item["sha256"]), strip=int(item["strip"]))
        case "toolchain":
            return PinnedTool(
                version=str(item["version"]),
                sha256=_sha256(item["sha256"]),
                package=str(item.get("package", "")),
                url=str(item.get("url", "")),
            )
        case "base":
            platforms = {str(parse_platform(name)): _digest(value) for name, value in item["platforms"].items()}
            return PinnedBase(
                reference=str(item["reference"]), digest=_digest(item["digest"]), platforms=FrozenDict(platforms)
            )
    raise ValueError(f"unknown kind {item['kind']!r}")


def _digest(value: str) -> str:
    return str(Digest.parse(value))


def _commit(value: str) -> str:
    if len(value) not in (40, 64) or set(value) - set("0123456789abcdef"):
        raise ValueError(f"not a commit: {value!r}")
    return value


def _file_in(item: Mapping[str, Any]) -> DebianFile:
    return DebianFile(path=str(item["path"]), size=int(item["size"]), sha256=_sha256(item["sha256"]))


def _sha256(value: object) -> str:
    text = str(value)
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError(f"not a sha256: {text!r}")
    return text


def _package_in(item: Mapping[str, Any]) -> DebianPackage:
    return DebianPackage(
        name=str(item["name"]),
        version=str(item["version"]),
        architecture=str(item["architecture"]),
        file=_file_in(item),
    )
