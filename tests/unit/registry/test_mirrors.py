"""Mirrors of registries, and what is told of a bad one."""

from __future__ import annotations

import pytest

from rearch.errors import ExitCode
from rearch.model.reference import NO_LOGIN, parse_reference
from rearch.registry.mirrors import BadMirror, mirrored


def test_the_longest_prefix_is_replaced_and_the_tag_stays() -> None:
    places = {"docker.io/": "mirror.example.org/hub/", "docker.io/rancher/": "example.org/r/"}
    assert str(mirrored(parse_reference("debian:12"), places)) == "mirror.example.org/hub/library/debian:12"
    assert str(mirrored(parse_reference("rancher/agent:1"), places)) == "example.org/r/agent:1"


def test_a_login_of_a_mirror_is_refused_and_not_shown() -> None:
    with pytest.raises(BadMirror) as caught:
        mirrored(parse_reference("debian:12"), {"docker.io/": "u5er:hunter2@mirror.example.org/hub/"})
    error = caught.value
    assert (error.mirror, error.why, error.exit_code) == ("***@mirror.example.org/hub/", NO_LOGIN, ExitCode.USAGE)
    told = f"{error.render()}{vars(error)}{error.args}"
    assert "u5er" not in told
    assert "hunter2" not in told
