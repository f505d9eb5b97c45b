"""What is wrong with a Debian base is found when the YAML is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rearch.model.image import DebianBase


def base(**fields: Any) -> DebianBase:
    return DebianBase.model_validate({"debian": "bookworm", "packages": ("haproxy",), **fields})


def faults(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        base(**fields)
    return "\n".join(str(error["ctx"]["error"]) for error in caught.value.errors())


def test_a_base_that_agrees() -> None:
    users = {"a": {"uid": "101"}, "b": {"uid": "102", "gid": "33", "group": "www-data"}}
    members = {"a": ("b", "www-data"), "adm": ("a",)}
    made = base(
        packages=("haproxy", "ca-certificates"),
        accounts={"users": users, "groups": {"c": "103"}, "members": members},
        directories={"/run/a": {"owner": "a:c"}, "/run/b": {"owner": "0:www-data"}},
        links={"/usr/bin/x": "y"},
        ca_certificates=True,
    )
    assert made.accounts.group_names == {"a", "c", "www-data"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"ca_certificates": True}, "the package ca-certificates is not in packages"),
        ({"accounts": {"users": {"a": {"uid": "5"}, "b": {"uid": "05"}}}}, "05 is the number of a already"),
        (
            {"accounts": {"users": {"a": {"uid": "5"}}, "groups": {"b": "5"}}},
            "5 is the number of the group b already: write `group: b`?",
        ),
        ({"accounts": {"users": {"a": {"uid": "5"}}, "groups": {"a": "6"}}}, "the group a has the number 6 already"),
        ({"accounts": {"members": {"docker": ("root",)}}}, "there is no such group; declare it under groups"),
        ({"accounts": {"members": {"adm": ("me",)}}}, "there is no user me; declare it under users"),
        ({"directories": {"/run/x": {"owner": "x:root"}}}, "there is no user x; declare it under accounts"),
        ({"directories": {"/run/x": {"owner": "root:x"}}}, "there is no group x; declare it under accounts"),
        ({"directories": {"/run/x": {}}, "links": {"/run/x": "/y"}}, "it is declared as a directory, too"),
    ],
)
def test_contradictions(fields: dict[str, Any], text: str) -> None:
    assert text in faults(**fields)
