"""The login that the environment gives."""

from __future__ import annotations

import pytest

from rearch.app.registries import HalfALogin, explicit_login
from rearch.errors import ExitCode


def test_none_is_given() -> None:
    assert explicit_login({"REARCH_JOBS": "2"}) == {}


def test_one_registry_has_one() -> None:
    environment = {
        "REARCH_LOGIN_REGISTRY": "registry.example.org:5000",
        "REARCH_LOGIN_USER": "ci",
        "REARCH_LOGIN_PASSWORD": "hunter2",
    }
    ((registry, login),) = explicit_login(environment).items()
    assert (registry, login.user, login.secret) == ("registry.example.org:5000", "ci", "hunter2")
    assert "hunter2" not in repr(login)


def test_half_of_one_is_told_without_the_secret() -> None:
    with pytest.raises(HalfALogin) as raised:
        explicit_login({"REARCH_LOGIN_PASSWORD": "hunter2"})
    assert raised.value.exit_code is ExitCode.USAGE
    assert raised.value.missing == ("REARCH_LOGIN_REGISTRY", "REARCH_LOGIN_USER")
    assert "hunter2" not in raised.value.render()
