"""`volumes` on a real engine: filled, filled again, full, in use, interrupted, far away. Nothing of ours is left."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from rearch.host.docker.helper import LABEL, NAME
from rearch.model.platform import Platform, host_platform, parse_platform
from tests.support.cli import Cli, Ran, wait_until
from tests.support.disk import small_disk
from tests.support.elves import make_elf
from tests.support.engine import engine, engine_environment
from tests.support.forwarding import forwarding
from tests.support.tiny_programs import waiting
from tests.support.volumes import STACK, volume_project

HERE = host_platform(os.uname().machine)
OTHER = next(one for one in map(parse_platform, ("arm64", "amd64")) if one != HERE)
# The workers of a session share one engine.
MINE = os.environ.get("PYTEST_XDIST_WORKER", "alone")
BIN, MORE = VOLUMES = (f"bin-{MINE}", f"more-{MINE}")
USER = f"rearch-test-user-{MINE}"
OWN_STACK = STACK.replace("demo-bin", BIN).replace("demo-more", MORE)


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    client = docker.APIClient(base_url=engine(), version="auto")
    _clear(client)
    yield client
    left = [one["Names"][0] for volume in VOLUMES for one in client.containers(all=True, filters={"volume": volume})]
    _clear(client)
    assert left == []
    wait_until(lambda: not client.images(name=NAME), what="no image of a helper is left, of another worker neither")
    client.close()


def _clear(client: docker.APIClient) -> None:
    for volume in VOLUMES:
        for one in client.containers(all=True, filters={"volume": volume}):
            client.remove_container(one["Id"], force=True)
        if volume in [one["Name"] for one in client.volumes()["Volumes"] or ()]:
            client.remove_volume(volume)


def volumes(base: Path, *words: str, code: int | None = 0, env: dict[str, str] | None = None) -> Ran:
    return cli(base).run("volumes", *words, code=code, env=env)


def project(base: Path, *platforms: Platform, **more: Any) -> Path:
    return volume_project(base, *platforms, stack=OWN_STACK, **more)


def cli(base: Path) -> Cli:
    return Cli(base / "project", base / "cache", env=engine_environment())


def data(api: docker.APIClient, volume: str = BIN) -> Path:
    """Where the engine keeps the volume: it is on this machine."""
    return Path(api.inspect_volume(volume)["Mountpoint"])


def actions(ran: Ran) -> dict[str, str]:
    """Path in its volume -> what was done."""
    found = json.loads(ran.out)["volumes"]
    return {f"{one['name']} {thing['path']}": thing["action"] for one in found for thing in one["things"]}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_volumes_are_made_and_filled_and_the_second_run_sends_nothing(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE, OTHER)
    first = volumes(tmp_path, "--json")
    assert set(actions(first).values()) == {"new"}
    assert "demo/later later is left out" in first.err
    top = data(api)
    assert (top / "bin/hello").read_bytes() == make_elf(HERE)
    deep = (top / "deep/down/hello").stat()
    assert (deep.st_mode & 0o7777, deep.st_uid, deep.st_gid, deep.st_mtime) == (0o700, 7, 8, 0)
    conf = (top / "conf").stat()
    assert (conf.st_mode & 0o7777, conf.st_uid, conf.st_gid) == (0o711, 3, 4)
    assert ((top / "current").readlink(), (top / "elsewhere").readlink()) == (Path("bin"), Path("/opt/none"))
    assert (top / "bin/hello").stat().st_nlink == 1
    assert {path.name for path in top.iterdir()} == {"bin", "conf", "current", "deep", "elsewhere", "readme"}
    assert api.inspect_volume(BIN)["Labels"] == {LABEL: BIN}
    before = {path: path.lstat().st_ctime_ns for path in top.rglob("*")}
    with forwarding(Path(engine().removeprefix("unix://"))) as there:
        again = volumes(tmp_path, "--json", "--engine", there.url, "--only", BIN)
    assert set(actions(again).values()) == {"keep"}
    assert there.count < 40_000  # questions, and the empty image
    assert {path: path.lstat().st_ctime_ns for path in top.rglob("*")} == before
    assert volumes(tmp_path, "--check").out == ""


def test_a_foreign_program_is_found_told_and_replaced_and_the_rest_left_alone(
    api: docker.APIClient, tmp_path: Path
) -> None:
    project(tmp_path, HERE, OTHER)
    volumes(tmp_path, env={"SOURCE_DATE_EPOCH": "1000"})
    top = data(api)
    (top / "bin/hello").write_bytes(make_elf(OTHER))
    (top / "bin/own").write_text("mine")
    checked = volumes(tmp_path, "--check", code=1)
    assert checked.out.startswith(f"renew  {BIN} bin/hello: what is there is for another platform: ELF 64-bit")
    assert (top / "bin/hello").read_bytes() == make_elf(OTHER)
    assert volumes(tmp_path, "--dry-run").out == checked.out
    done = volumes(tmp_path, "--verbose", env={"SOURCE_DATE_EPOCH": "1000"})
    assert f"keep   {BIN} readme\n" in done.out
    assert f"other  {BIN} bin/own\n" in done.out
    assert (top / "bin/hello").read_bytes() == make_elf(HERE)
    assert (top / "bin/hello").stat().st_mtime == 1000
    assert (top / "bin/own").read_text() == "mine"


def test_an_engine_of_another_architecture_is_refused(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE, OTHER)
    ran = volumes(tmp_path, "--arch", str(OTHER), code=3)
    assert f"is on {HERE}, which does not run {OTHER} programs" in ran.err
    assert api.volumes(filters={"name": BIN})["Volumes"] in (None, [])


def test_binaries_that_are_not_for_what_they_are_called_are_not_sent(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE, program=lambda _platform: make_elf(OTHER))
    ran = volumes(tmp_path, "--only", MORE, code=3)
    assert "hello is no" in ran.err
    assert api.volumes(filters={"name": MORE})["Volumes"] in (None, [])


def test_a_full_volume_keeps_what_it_had(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE)
    with small_disk(tmp_path / "disk", "1m") as disk:
        api.create_volume(MORE, driver="local", driver_opts={"type": "none", "o": "bind", "device": str(disk)})
        volumes(tmp_path, "--only", MORE)
        before = sha256(disk / "hello")
        for size in (1 << 20, 24 << 20):  # what fits a socket's buffers, and what does not
            project(tmp_path, HERE, extra=bytes(size))
            ran = volumes(tmp_path, "--only", MORE, code=1)
            assert f"volume {MORE} is full" in ran.err
            assert sha256(disk / "hello") == before
            assert [path.name for path in disk.iterdir()] == ["hello"]
        api.remove_volume(MORE)


def test_a_volume_that_a_container_uses(api: docker.APIClient, tmp_path: Path) -> None:
    """The program itself runs from the volume: no ETXTBSY, and what runs keeps its file."""
    project(tmp_path, HERE, program=waiting)
    volumes(tmp_path, "--only", MORE)
    empty = tmp_path / "empty.tar"
    subprocess.run(("tar", "-cf", empty, "-T", "/dev/null"), check=True)
    api.import_image(str(empty), repository=f"rearch-test/empty-{MINE}", tag="v1")
    made = api.create_container(
        f"rearch-test/empty-{MINE}:v1",
        command=["/v/hello"],
        name=USER,
        host_config=api.create_host_config(mounts=[docker.types.Mount("/v", MORE, type="volume")], network_mode="none"),
    )
    try:
        api.start(made["Id"])
        project(tmp_path, HERE, program=waiting, extra=b"newer")
        refused = volumes(tmp_path, "--only", MORE, code=1)
        assert f"in use by 1 running container: {USER}" in refused.err
        assert "--in-use" in refused.err
        assert (data(api, MORE) / "hello").read_bytes() == waiting(HERE)
        volumes(tmp_path, "--only", MORE, "--in-use")
        assert (data(api, MORE) / "hello").read_bytes() == waiting(HERE) + b"newer"
        assert api.inspect_container(made["Id"])["State"]["Running"]
        volumes(tmp_path, "--only", MORE)  # nothing to do: nobody is disturbed
    finally:
        api.remove_container(made["Id"], force=True)
        api.remove_image(f"rearch-test/empty-{MINE}:v1", force=True)


def test_a_run_that_is_ended_in_the_middle_takes_everything_away(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE)
    with forwarding(Path(engine().removeprefix("unix://"))) as there:
        there.hold = b"PUT "
        words = ("volumes", "--only", MORE, "--engine", there.url)
        with cli(tmp_path).start(*words) as run:
            wait_until(there.held.is_set, what="the new files are sent")
            busy = volumes(tmp_path, "--only", MORE, code=75)
            assert "is being filled by somebody else" in busy.err
            run.send(signal.SIGTERM)
            assert run.end().code == 130
    assert not api.containers(all=True, filters={"volume": MORE})
    assert api.volumes(filters={"name": MORE})["Volumes"] in (None, [])
    volumes(tmp_path, "--only", MORE)


def test_what_a_killed_run_has_left_goes_away_when_it_is_old(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE)
    volumes(tmp_path, "--only", MORE)
    staging = data(api, MORE) / ".rearch"
    staging.mkdir()
    (staging / "0").write_bytes(b"half")
    empty = tmp_path / "empty.tar"
    subprocess.run(("tar", "-cf", empty, "-T", "/dev/null"), check=True)
    old = "0000000001-aabbccddeeff"
    api.import_image(str(empty), repository=NAME, tag=old)
    api.create_container(f"{NAME}:{old}", command=["/x"], name=f"{NAME}-{old}-112233", labels={LABEL: MORE})
    ran = volumes(tmp_path, "--only", MORE)
    assert "nothing to do" in ran.err
    assert not staging.exists()


def test_a_link_to_elsewhere_is_not_followed(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, HERE)
    api.create_volume(BIN)
    outside = tmp_path / "outside"
    outside.mkdir()
    (data(api) / "bin").symlink_to(outside)
    ran = volumes(tmp_path, "--only", BIN, code=1)
    assert "bin: a folder is wanted, and a link is there" in ran.err
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--only", "demo-bim"), 2, "no stack declares a volume demo-bim"),
        (("--no-create",), 2, "there is no volume"),
        (("--arch", "arm64,amd64"), 2, "a volume has one platform"),
        (("--to", "x"), 2, "which platform is it for?"),
        (("--engine", "http://x"), 2, "is no address of a Docker engine"),
        (("--engine", "tcp://127.0.0.1:1"), 75, "does not answer"),
        (("--engine", "unix:///nowhere/docker.sock"), 1, "no Docker engine at unix:///nowhere/docker.sock"),
    ],
)
def test_what_is_asked_wrongly(
    api: docker.APIClient, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    project(tmp_path, HERE)
    ran = volumes(tmp_path, *words, code=code)
    assert said in ran.err
    assert ran.err.count("error:") in (1, 2)
    listed: dict[str, Any] = api.volumes()
    assert not [one for one in listed["Volumes"] or () if one["Name"] in VOLUMES]


def test_a_platform_that_was_not_built(api: docker.APIClient, tmp_path: Path) -> None:
    project(tmp_path, OTHER)
    ran = volumes(tmp_path, code=2)
    assert f"not built for {HERE}: demo/hello hello" in ran.err
    assert not api.volumes(filters={"name": BIN})["Volumes"]
