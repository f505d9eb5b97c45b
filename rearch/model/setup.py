"""What `setup` writes units and CI files from, and for whom."""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

from rearch.errors import UsageError

# A name that systemd takes for a unit, cron for a file of /etc/cron.d (run-parts(8): no dots), and a shell unquoted.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# useradd(8)'s rule, with the dots that directories of companies hold.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_MAIL = re.compile(r"[A-Za-z0-9_.+-]+(@[A-Za-z0-9.-]+)?")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


class SetupKind(Enum):
    """Who runs the nightly build."""

    SYSTEMD = "systemd"
    CRON = "cron"
    GITHUB = "github"
    GITLAB = "gitlab"
    JENKINS = "jenkins"

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, with this machine's paths; the others have a checkout of their own."""
        return self in (SetupKind.SYSTEMD, SetupKind.CRON)


class UnknownKind(UsageError):
    """`kind` is none of those that there are."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        known = ", ".join(each.value for each in SetupKind)
        super().__init__(f"{kind!r}: cannot be set up", hint=f"one of {known}")


class BadValue(UsageError):
    """The value of a flag cannot stand in a unit or a CI file."""

    def __init__(self, flag: str, value: str, wanted: str) -> None:
        self.flag = flag
        self.value = value
        super().__init__(f"--{flag} {value!r}: {wanted}")


class TimeOfDay(Struct, frozen=True):
    """A time as clocks on walls show it."""

    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}"


class SetupFacts(Struct, frozen=True, kw_only=True):
    """Everything that a unit or a CI file says.

    `name` is that of the units. `program`: the words that start rearch here; `project`, `cache` and what is
    `writable` besides: absolute paths here, `cache` empty for the system's own place. `arguments` stand behind
    `nightly`. `subfolder` is the project below the repository's root, empty for the root itself. `install` is what pip
    installs in CI. `registry`: the host that is pushed to, where it is one alone. `docker`, `buildah`: whether a recipe
    builds with it. `homes`, `in_tmp`: whether something that is needed lies in a home folder, or in /tmp. `root`:
    whether the user is root.
    """

    name: str
    program: tuple[str, ...]
    project: str
    arguments: tuple[str, ...]
    at: TimeOfDay
    user: str
    mail: str
    install: str
    cache: str = ""
    writable: tuple[str, ...] = ()
    subfolder: str = ""
    registry: str = ""
    docker: bool = False
    buildah: bool = False
    homes: bool = True
    in_tmp: bool = False
    root: bool = False

    @property
    def secrets(self) -> str:
        """The file of the variables that nobody else may read."""
        return f"/etc/rearch/{self.name}.env"


class SetupFile(Struct, frozen=True, kw_only=True):
    """A file that `setup` writes: `path` is relative to the folder, `mode` its permissions."""

    path: str
    text: str
    mode: int = 0o644


def kind_of(text: str) -> SetupKind:
    """Errors: UnknownKind."""
    try:
        return SetupKind(text)
    except ValueError:
        raise UnknownKind(text) from None


def time_of_day(text: str) -> TimeOfDay:
    """`2:30` or `02:30`, 24 hours. Errors: BadValue."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise BadValue("at", text, "a time of day is wanted, as 02:30")
    return TimeOfDay(int(found[1]), int(found[2]))


def check_name(text: str) -> str:
    """Errors: BadValue."""
    return _matching(_NAME, "name", text, "letters, digits, - and _ are wanted, as cron and systemd take them")


def check_user(text: str) -> str:
    """Errors: BadValue."""
    return _matching(_USER, "user", text, "that is no user's name")


def check_mail(text: str) -> str:
    """An address or a local user's name. Errors: BadValue."""
    return _matching(_MAIL, "mail", text, "one mail address is wanted")


def check_printable(flag: str, text: str) -> str:
    """A line break, or a byte that is no UTF-8, would end the line that it stands in. Errors: BadValue."""
    if not text.isprintable():
        raise BadValue(
            flag, text, "line breaks, control characters and bytes that are no UTF-8 cannot be written there"
        )
    return text


def _matching(pattern: re.Pattern[str], flag: str, text: str, wanted: str) -> str:
    if pattern.fullmatch(text) is None:
        raise BadValue(flag, text, wanted)
    return text
