"""--chown and the folders of a USER: names are looked up in the image's own /etc/passwd and /etc/group."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from rearch.oci.dockerfile.errors import Trouble, meant

# What reads a file of the image; None where it has none.
ReadFile = Callable[[str], bytes | None]
_LAST = 2**32 - 2


class Owner(Struct, frozen=True):
    """Numbers of user and group."""

    uid: int
    gid: int


def find_owner(text: str, read: ReadFile) -> Owner:
    """`user`, `user:group` or `:group`, by name or number.

    Without a group it is the user's own: of a name that which /etc/passwd says, of a number the same number (Dockerfile
    reference, "COPY --chown --chmod"). Errors: Trouble for a name that is in no file.
    """
    user, colon, group = text.partition(":")
    if not user and not group:
        raise Trouble(f"{text!r} names no owner", "write user:group, by name or number")
    uid, gid = _user(user, read) if user else (0, 0)
    if colon and group:
        gid = _group(group, read)
    return Owner(uid, gid)


def _user(name: str, read: ReadFile) -> tuple[int, int]:
    if (number := _number(name)) is not None:
        return number, number
    lines = tuple(_lines(read("etc/passwd")))
    for fields in lines:
        if fields[0] == name and len(fields) > 3:
            return _field(fields[2], "etc/passwd"), _field(fields[3], "etc/passwd")
    raise _unknown("user", name, "/etc/passwd", lines)


def _group(name: str, read: ReadFile) -> int:
    if (number := _number(name)) is not None:
        return number
    lines = tuple(_lines(read("etc/group")))
    for fields in lines:
        if fields[0] == name and len(fields) > 2:
            return _field(fields[2], "etc/group")
    raise _unknown("group", name, "/etc/group", lines)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 or int(text) > _LAST:
        raise Trouble(f"{text} is no number of a user or group: {_LAST} is the last")
    return int(text)


def _field(text: str, file: str) -> int:
    number = _number(text)
    if number is None:
        raise Trouble(f"/{file} of the image has {text[:40]!r} where a number should be")
    return number


def _lines(data: bytes | None) -> Iterator[list[str]]:
    for line in (data or b"").decode("utf-8", "surrogateescape").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.split(":")


def _unknown(kind: str, name: str, file: str, lines: tuple[list[str], ...]) -> Trouble:
    known = [fields[0] for fields in lines]
    text = f"{file} of the image has no {kind} {name}" if lines else f"{kind} {name}: the image has no {file}"
    return Trouble(text + meant(name, known), "use its number, or declare it in the base's `accounts`")
