"""A private engine's arguments, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

from rearch.host.docker.private import arguments, mounts_below
from rearch.host.registry_server import configuration

MOUNTS = """\
22 1 0:20 / / rw - overlay overlay rw
90 22 0:4 net:[1] /tmp/r/engine/exec/netns/default rw - nsfs nsfs rw
91 22 0:5 / /tmp/r/engine/data rw - tmpfs tmpfs rw
92 22 0:6 / /tmp/r/engine/data/overlay2/x/merged rw - overlay overlay rw
93 22 0:7 / /tmp/r/engine-of-others/data rw - tmpfs tmpfs rw
"""


def test_everything_that_the_engine_keeps_is_in_its_folder() -> None:
    words = arguments(Path("/tmp/r/engine"))
    assert words[0] == "dockerd"
    kept = [word.partition("=")[2] for word in words if "/" in word]
    assert len(kept) == 5
    assert all(place.removeprefix("unix://").startswith("/tmp/r/engine/") for place in kept)
    assert {"--bridge=none", "--iptables=false", "--ip6tables=false"} <= set(words)


def test_what_is_mounted_below_goes_the_deepest_first() -> None:
    assert mounts_below(Path("/tmp/r/engine"), MOUNTS) == (
        "/tmp/r/engine/data/overlay2/x/merged",
        "/tmp/r/engine/exec/netns/default",
        "/tmp/r/engine/data",
    )
    assert mounts_below(Path("/tmp/q"), MOUNTS) == ()


def test_the_registry_listens_on_the_loopback_alone() -> None:
    found = configuration(Path("/tmp/r/data"), 5000)
    assert found["http"] == {"addr": "127.0.0.1:5000", "secret": "of no worth"}
    assert found["storage"] == {"filesystem": {"rootdirectory": "/tmp/r/data"}}
