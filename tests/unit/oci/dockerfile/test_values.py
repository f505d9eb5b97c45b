"""Durations, ports, signals, modes."""

from __future__ import annotations

import pytest

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.dockerfile.values import Mode, duration, ports, signal

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1s", SECOND),
        ("1m30s", 90 * SECOND),
        ("1.5h", 5400 * SECOND),
        (".5s", SECOND // 2),
        ("500ms", SECOND // 2),
        ("2000us", 2 * 10**6),
        ("1h2m3.5s", 3723 * SECOND + SECOND // 2),
    ],
)
def test_durations(text: str, wanted: int) -> None:
    assert duration(text) == wanted


@pytest.mark.parametrize("text", ["", "5", "s", "1 s", "-1s", "1x", "1s1", "0s", "999us", "1e3s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(Trouble):
        duration(text)


def test_ports() -> None:
    assert list(ports("80")) == ["80/tcp"]
    assert list(ports("53/UDP")) == ["53/udp"]
    assert list(ports("8000-8002/sctp")) == ["8000/sctp", "8001/sctp", "8002/sctp"]


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "9-8", "80/http", "8080:80", "-1"])
def test_no_ports(text: str) -> None:
    with pytest.raises(Trouble):
        list(ports(text))


@pytest.mark.parametrize("text", ["SIGTERM", "term", "9", "SIGRTMIN+3", "RTMAX-1"])
def test_signals(text: str) -> None:
    assert signal(text) == text


@pytest.mark.parametrize("text", ["", "SIGFOO", "0", "65", "-9", "RTMIN+16"])
def test_no_signals(text: str) -> None:
    with pytest.raises(Trouble):
        signal(text)


@pytest.mark.parametrize(
    ("text", "mode", "folder", "wanted"),
    [
        ("644", 0o755, False, 0o644),
        ("0755", 0o600, False, 0o755),
        ("4755", 0o600, False, 0o4755),
        ("u+x", 0o644, False, 0o744),
        ("+x", 0o644, False, 0o755),
        ("a-w", 0o666, False, 0o444),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("u+s,+t", 0o755, False, 0o5755),
        ("g=", 0o775, False, 0o705),
    ],
)
def test_modes(text: str, mode: int, folder: bool, wanted: int) -> None:
    assert Mode(text).of(mode, folder=folder) == wanted


@pytest.mark.parametrize("text", ["", "999", "0o755", "10000", "u", "u+q", "rwx", "u+x,", "-644"])
def test_no_modes(text: str) -> None:
    with pytest.raises(Trouble):
        Mode(text)
