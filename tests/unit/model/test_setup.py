"""The values of `setup`: what is refused, and in which words."""

from __future__ import annotations

import pytest

from rearch.errors import ExitCode
from rearch.model import setup
from rearch.model.setup import BadValue, SetupKind, TimeOfDay, UnknownKind, kind_of, time_of_day

TIMES = [("02:30", TimeOfDay(2, 30)), ("2:05", TimeOfDay(2, 5)), ("23:59", TimeOfDay(23, 59))]


@pytest.mark.parametrize(("text", "wanted"), TIMES)
def test_times(text: str, wanted: TimeOfDay) -> None:
    assert time_of_day(text) == wanted
    assert len(str(wanted)) == 5


@pytest.mark.parametrize("text", ["", "24:00", "2:60", "2", "02:30:00", "2:3", "* *", "٢:30"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadValue, match="02:30") as caught:
        time_of_day(text)
    assert caught.value.exit_code is ExitCode.USAGE


def test_kinds() -> None:
    assert [kind_of(each.value) for each in SetupKind] == list(SetupKind)
    with pytest.raises(UnknownKind) as caught:
        kind_of("upstart")
    assert "systemd, cron, github, gitlab, jenkins" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "a.b", "../x", "a b", "-a", "a\n"])
def test_what_is_no_name_of_units(text: str) -> None:
    with pytest.raises(BadValue):
        setup.check_name(text)


@pytest.mark.parametrize("text", ["", "0", "a b", "root;x", "a:b"])
def test_what_is_no_user(text: str) -> None:
    with pytest.raises(BadValue):
        setup.check_user(text)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\x85b", "a\u2028b", "a\udce4b", "a\u202eb"])
def test_what_would_end_a_line_or_turn_it(text: str) -> None:
    with pytest.raises(BadValue):
        setup.check_printable("project", text)


def test_what_can_be_written() -> None:
    assert setup.check_printable("project", "/srv/ä b%$'\"") == "/srv/ä b%$'\""
    assert setup.check_mail("ops+night@example.org") == "ops+night@example.org"
    with pytest.raises(BadValue):
        setup.check_mail("a@example.org, b@example.org\n")
