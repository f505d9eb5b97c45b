"""/etc/passwd and /etc/group as values: Debian's fixed accounts, and what a recipe declares beside them.

passwd(5), group(5). There is no /etc/shadow: the password field is `*`, as in base-passwd's masters, with which nobody
can log in by password; shadow(5) is asked only where that field is `x`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import StepError, UsageError
from rearch.model.image import Accounts, User

_LAST = 2**32 - 2


class PasswdLine(Struct, frozen=True, kw_only=True):
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    full_name: str
    home: str
    interpreter: str

    def __str__(self) -> str:
        return f"{self.name}:*:{self.uid}:{self.gid}:{self.full_name}:{self.home}:{self.interpreter}"


class GroupLine(Struct, frozen=True, kw_only=True):
    """A line of /etc/group."""

    name: str
    gid: int
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:*:{self.gid}:{','.join(self.members)}"


class BadAccounts(UsageError):
    """Accounts that contradict each other, Debian's fixed ones, or that are not there. All of them at once."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the accounts of the base contradict each other",
            self.problems,
            hint="correct `accounts` and `directories` under `base` in the recipe; "
            "numbers below 100 are Debian's (policy 9.2.2), take one from 100 to 999",
        )


class MalformedAccounts(StepError):
    """A passwd or group file that cannot be read. `line` counts from 1."""

    def __init__(self, name: str, line: int, text: str) -> None:
        self.name = name
        self.line = line
        super().__init__(f"{name}:{line}: no line of such a file: {text[:80]!r}")


class AccountTables(Struct, frozen=True, kw_only=True):
    """Both files, sorted by number, then name."""

    users: tuple[PasswdLine, ...]
    groups: tuple[GroupLine, ...]

    @property
    def passwd(self) -> bytes:
        """/etc/passwd."""
        return "".join(f"{line}\n" for line in self.users).encode("utf-8", "surrogateescape")

    @property
    def group(self) -> bytes:
        """/etc/group."""
        return "".join(f"{line}\n" for line in self.groups).encode("utf-8", "surrogateescape")

    def owner(self, text: str) -> tuple[int, int]:
        """`user:group`, by name or number, as numbers; without a group, the user's own (of a number: the same number).

        Errors: BadAccounts for a name that is not there.
        """
        user, colon, group = text.partition(":")
        uid, own = self._user(user)
        return uid, self._group(group) if colon else own

    def _user(self, text: str) -> tuple[int, int]:
        for line in self.users:
            if text in (line.name, str(line.uid)):
                return line.uid, line.gid
        if not _is_number(text):
            raise BadAccounts([f"there is no user {text}"])
        return int(text), int(text)

    def _group(self, text: str) -> int:
        found = next((line.gid for line in self.groups if line.name == text), None)
        if found is not None:
            return found
        if not _is_number(text):
            raise BadAccounts([f"there is no group {text}"])
        return int(text)


def _is_number(text: str) -> bool:
    return text.isdigit() and int(text) <= _LAST


# What every image has, where base-passwd is not among the packages.
LEAST = AccountTables(
    users=(
        PasswdLine(name="root", uid=0, gid=0, full_name="root", home="/root", interpreter="/bin/bash"),
        PasswdLine(
            name="nobody",
            uid=65534,
            gid=65534,
            full_name="nobody",
            home="/nonexistent",
            interpreter="/usr/sbin/nologin",
        ),
    ),
    groups=(GroupLine(name="root", gid=0), GroupLine(name="nogroup", gid=65534)),
)


def parse_tables(passwd: str, group: str, name: str) -> AccountTables:
    """Read base-passwd's masters; `name` is the folder that they are in, for messages. Errors: MalformedAccounts."""
    users = tuple(
        PasswdLine(name=who, uid=int(uid), gid=int(gid), full_name=full_name, home=home, interpreter=shell)
        for who, _password, uid, gid, full_name, home, shell in _fields(passwd, 7, (2, 3), f"{name}/passwd.master")
    )
    groups = tuple(
        GroupLine(name=who, gid=int(gid), members=tuple(member for member in members.split(",") if member))
        for who, _password, gid, members in _fields(group, 4, (2,), f"{name}/group.master")
    )
    return _sorted(users, groups)


def _fields(text: str, count: int, numbers: tuple[int, ...], name: str) -> Iterator[list[str]]:
    for at, line in enumerate(text.splitlines(), 1):
        fields = line.split(":")
        if len(fields) != count or not fields[0] or not all(_is_number(fields[number]) for number in numbers):
            raise MalformedAccounts(name, at, line)
        yield fields


def _sorted(users: Iterable[PasswdLine], groups: Iterable[GroupLine]) -> AccountTables:
    return AccountTables(
        users=tuple(sorted(users, key=lambda line: (line.uid, line.name))),
        groups=tuple(sorted(groups, key=lambda line: (line.gid, line.name))),
    )


def with_declared(fixed: AccountTables, accounts: Accounts) -> AccountTables:
    """The fixed accounts with those of a recipe. Errors: BadAccounts, with everything that does not fit.

    A fixed account may be declared again under its own numbers, to give it another home or shell.
    """
    problems: list[str] = []
    users = {line.name: line for line in fixed.users}
    groups = {line.name: line for line in fixed.groups}
    for name, number in accounts.groups.items():
        _add_group(groups, name, int(number), problems)
    for name, user in accounts.users.items():
        gid = int(user.gid if user.gid is not None else user.uid)
        _add_group(groups, user.group or name, gid, problems)
        _add_user(users, _line(name, user, gid, users.get(name)), problems)
    _add_members(groups, accounts.members, users, problems)
    if problems:
        raise BadAccounts(problems)
    return _sorted(users.values(), groups.values())


def _line(name: str, user: User, gid: int, before: PasswdLine | None) -> PasswdLine:
    full_name = before.full_name if before else ""
    return PasswdLine(
        name=name, uid=int(user.uid), gid=gid, full_name=full_name, home=user.home, interpreter=user.shell
    )


def _add_group(groups: dict[str, GroupLine], name: str, gid: int, problems: list[str]) -> None:
    other = next((line.name for line in groups.values() if line.gid == gid and line.name != name), None)
    if name in groups and groups[name].gid != gid:
        problems.append(f"the group {name} has the number {groups[name].gid} already, not {gid}")
    elif other is not None:
        problems.append(f"the group {name} cannot have the number {gid}: that is {other} (write `group: {other}`?)")
    else:
        groups.setdefault(name, GroupLine(name=name, gid=gid))


def _add_user(users: dict[str, PasswdLine], line: PasswdLine, problems: list[str]) -> None:
    before = users.get(line.name)
    other = next((each.name for each in users.values() if each.uid == line.uid and each.name != line.name), None)
    if before is not None and (before.uid, before.gid) != (line.uid, line.gid):
        numbers = f"{before.uid}:{before.gid}"
        problems.append(f"the user {line.name} has the numbers {numbers} already, not {line.uid}:{line.gid}")
    elif other is not None:
        problems.append(f"the user {line.name} cannot have the number {line.uid}: that is {other}")
    elif re.search(r"[:\x00-\x1f]", line.home + line.interpreter):
        problems.append(f"the user {line.name} has a colon or a control character in its home or shell")
    else:
        users[line.name] = line


def _add_members(
    groups: dict[str, GroupLine],
    members: Mapping[str, tuple[str, ...]],
    users: Mapping[str, PasswdLine],
    problems: list[str],
) -> None:
    for name, who in members.items():
        problems += [f"the group {name} has the member {user}, who is no user" for user in who if user not in users]
        if name not in groups:
            problems.append(f"members of the group {name}, which is not there")
        else:
            joined = tuple(dict.fromkeys((*groups[name].members, *who)))
            groups[name] = replace(groups[name], members=joined)
