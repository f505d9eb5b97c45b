"""passwd and group: fixed accounts, declared ones, and what they contradict."""

from __future__ import annotations

from typing import Any

import pytest

from rearch.formats.accounts import LEAST, BadAccounts, MalformedAccounts, parse_tables, with_declared
from rearch.model.image import Accounts

PASSWD = "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
PASSWD += "www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n"
GROUP = "root:*:0:\nwww-data:*:33:\nadm:*:4:root,www-data\nnogroup:*:65534:\n"
FIXED = parse_tables(PASSWD, GROUP, "usr/share/base-passwd")


def accounts(**fields: Any) -> Accounts:
    return Accounts.model_validate(fields)


def test_both_files_are_sorted_by_number() -> None:
    made = with_declared(
        FIXED,
        accounts(
            users={
                "haproxy": {"uid": "101", "home": "/var/lib/haproxy"},
                "aaa": {"uid": "9", "group": "adm", "gid": "4"},
            },
            groups={"docker": "997"},
            members={"docker": ("haproxy",), "adm": ("haproxy", "root")},
        ),
    )
    assert made.passwd.decode() == (
        "root:*:0:0:root:/root:/bin/bash\n"
        "aaa:*:9:4::/nonexistent:/usr/sbin/nologin\n"
        "www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n"
        "haproxy:*:101:101::/var/lib/haproxy:/usr/sbin/nologin\n"
        "nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    assert made.group.decode() == (
        "root:*:0:\nadm:*:4:root,www-data,haproxy\nwww-data:*:33:\nhaproxy:*:101:\ndocker:*:997:haproxy\nnogroup:*:65534:\n"
    )


def test_without_base_passwd_there_are_root_and_nobody() -> None:
    made = with_declared(LEAST, accounts())
    assert [line.name for line in made.users] == ["root", "nobody"]
    assert made.group == b"root:*:0:\nnogroup:*:65534:\n"


def test_a_fixed_account_may_get_another_home() -> None:
    made = with_declared(FIXED, accounts(users={"www-data": {"uid": "33", "home": "/srv", "shell": "/bin/sh"}}))
    assert b"www-data:*:33:33:www-data:/srv:/bin/sh\n" in made.passwd


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"users": {"a": {"uid": "33"}}}, "the user a cannot have the number 33: that is www-data"),
        ({"users": {"www-data": {"uid": "34"}}}, "the user www-data has the numbers 33:33 already, not 34:34"),
        ({"groups": {"a": "4"}}, "the group a cannot have the number 4: that is adm (write `group: adm`?)"),
        ({"groups": {"adm": "5"}}, "the group adm has the number 4 already, not 5"),
        ({"users": {"a": {"uid": "9", "gid": "33"}}}, "the group a cannot have the number 33: that is www-data"),
        ({"users": {"a": {"uid": "9", "home": "/a:b"}}}, "the user a has a colon or a control character"),
        ({"members": {"games": ("root",)}}, "members of the group games, which is not there"),
        ({"members": {"adm": ("proxy",)}}, "the group adm has the member proxy, who is no user"),
    ],
)
def test_contradictions(declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadAccounts) as caught:
        with_declared(FIXED, accounts(**declared))
    assert any(found.startswith(problem) for found in caught.value.problems), caught.value.problems


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(BadAccounts) as caught:
        with_declared(FIXED, accounts(users={"a": {"uid": "33"}}, groups={"b": "4"}))
    assert len(caught.value.details) >= 2


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("root:root", (0, 0)),
        ("www-data", (33, 33)),
        ("www-data:adm", (33, 4)),
        ("0:33", (0, 33)),
        ("1234", (1234, 1234)),
        ("33:999", (33, 999)),
    ],
)
def test_owners_by_name_and_number(text: str, numbers: tuple[int, int]) -> None:
    assert FIXED.owner(text) == numbers


@pytest.mark.parametrize("text", ["haproxy", "root:haproxy", "99999999999"])
def test_owners_that_are_not_there(text: str) -> None:
    with pytest.raises(BadAccounts):
        FIXED.owner(text)


@pytest.mark.parametrize(
    ("passwd", "group"), [("root:*:0:0\n", GROUP), ("root:*:x:0:::\n", GROUP), (PASSWD, "a:b:c\n")]
)
def test_masters_that_are_damaged(passwd: str, group: str) -> None:
    with pytest.raises(MalformedAccounts) as caught:
        parse_tables(passwd, group, "usr/share/base-passwd")
    assert caught.value.line == 1
