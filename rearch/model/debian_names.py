"""Names and versions of Debian packages, as YAML scalars."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from rearch.model.base import Says


def _debian_name(value: str) -> str:
    """Debian policy 5.6.1; a name that starts with `-` would be an option of apt."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", value):
        raise ValueError("a Debian package's name has lower-case letters, digits and + - .")
    return value


def _debian_version(value: str) -> str:
    """Debian policy 5.6.12."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+:~-]*", value):
        raise ValueError("a Debian version has letters, digits and . + : ~ -")
    return value


DebianName = Annotated[str, AfterValidator(_debian_name), Says("Debian package", "^[a-z0-9][a-z0-9+.-]+$")]
DebianVersion = Annotated[str, AfterValidator(_debian_version), Says("Debian version")]

# What base-passwd brings (passwd.master, group.master): the same since 1997 but for gnats, which Debian 13 dropped, and
# _apt, which it took in (https://sources.debian.org/src/base-passwd).
# fmt: off
FIXED_USERS = frozenset(
    [
        "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data",
        "backup", "list", "irc", "_apt", "gnats", "nobody",
    ]
)
FIXED_GROUPS = frozenset(
    [
        "root", "daemon", "bin", "sys", "adm", "tty", "disk", "lp", "mail", "news", "uucp", "man", "proxy",
        "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio", "dip", "www-data",
        "backup", "operator", "list", "irc", "src", "gnats", "shadow", "utmp", "video", "sasl", "plugdev",
        "staff", "games", "users", "nogroup",
    ]
)
# fmt: on
