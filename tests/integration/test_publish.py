"""`publish` as a user meets it, against the real registry."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.model.digest import Digest
from rearch.model.platform import parse_platform
from tests.support.built_output import BOTH, add_built, make_project
from tests.support.cli import Cli
from tests.support.engine import emulation, engine_environment
from tests.support.layouts import File
from tests.support.needs import need_program
from tests.support.registry import PASSWORD, USER, Server, free_port, run_registry
from tests.support.registry_images import put_image, put_index
from tests.support.tiny_programs import failing

TAG = "v1.0.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def rearch(tmp_path: Path) -> Cli:
    return Cli(make_project(tmp_path), tmp_path / "cache", env={"DOCKER_CONFIG": str(tmp_path / "no-logins")})


@pytest.fixture
def place(server: Server, tmp_path: Path) -> str:
    """A prefix of the registry that no other test uses."""
    return f"{server.host}/{tmp_path.name.replace('_', '-').lower()}".rstrip("-")


def asked(server: Server, place: str) -> list[str]:
    """Method and what was asked for, below the prefix."""
    prefix = f"/v2/{place.partition('/')[2]}/"
    return [line.replace(prefix, "").partition("?")[0] for line in server.requests() if prefix in line]


def digest_of(reference: str) -> str:
    skopeo = need_program("skopeo", "skopeo")
    raw = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"], check=True, capture_output=True
    )
    return str(Digest.of(raw.stdout))


def platforms_of(reference: str) -> list[str]:
    skopeo = need_program("skopeo", "skopeo")
    raw = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"], check=True, capture_output=True
    )
    rows = [entry["platform"] for entry in json.loads(raw.stdout)["manifests"]]
    return ["/".join(row[key] for key in ("os", "architecture", "variant") if key in row) for row in rows]


def test_first_then_nothing_new_then_one_image_that_moved(
    rearch: Cli, server: Server, place: str, tmp_path: Path
) -> None:
    digests = {name: add_built(rearch.project, name) for name in ("agent", "healthcheck", "scheduler")}
    refs = tmp_path / "refs.txt"
    first = rearch.run("publish", "--to", place, "--image-refs", refs)
    assert first.out.splitlines() == [f"{place}/{name}:{TAG}@{digest}" for name, digest in digests.items()]
    assert refs.read_text() == first.out
    requests = asked(server, place)
    blobs, manifests, tags = 18, 9, 3
    assert len(requests) <= 2 * blobs + 2 * manifests + tags
    # Four blobs are in all three images: two are sent, and twice mounted.
    assert len([line for line in requests if line.startswith("PUT") and "/blobs/" in line]) == 14
    assert all(line.startswith(("PUT", "HEAD")) for line in requests if f"/manifests/{TAG}" in line)
    assert digest_of(f"{place}/agent:{TAG}") == digests["agent"]
    _check_records(rearch, place, digests)

    requests = asked(server, place)
    again = rearch.run("publish", "--to", place)
    assert sorted(asked(server, place)[len(requests) :]) == [f"HEAD {name}/manifests/{TAG}" for name in digests]
    assert again.out == first.out
    assert "nothing to do" in again.err

    requests = asked(server, place)
    digests["agent"] = add_built(rearch.project, "agent", build="2")
    moved = rearch.run("publish", "--to", place)
    assert f"{place}/agent:{TAG}@{digests['agent']}" in moved.out
    new = asked(server, place)[len(requests) :]
    assert len([line for line in new if "agent" in line]) <= 20
    assert len([line for line in new if "agent" not in line]) == 2
    assert digest_of(f"{place}/agent:{TAG}") == digests["agent"]


def _check_records(rearch: Cli, place: str, digests: dict[str, str]) -> None:
    found = json.loads((rearch.output / "publish.json").read_text())
    assert {image["repository"]: image["tags"][0]["digest"] for image in found["images"]} == {
        f"{place}/{name}": digest for name, digest in digests.items()
    }
    assert [*found["images"][0]["tags"][0]["platforms"]] == [*BOTH]
    lines = [f"{digest.removeprefix('sha256:')}  {place}/{name}:{TAG}" for name, digest in digests.items()]
    assert (rearch.output / "digests.txt").read_text().splitlines() == lines


def test_tags_are_made_from_templates_and_for_single_platforms(rearch: Cli, place: str) -> None:
    add_built(rearch.project, "agent", (*BOTH, "linux/arm/v7"))
    done = rearch.run(
        "publish", "--to", place, "--tag", "${{ version }}", "--tag", "${{ channel }}-${{ date }}-${{ short_commit }}",
        "--channel", "nightly", "--per-arch",
    )  # fmt: skip
    tags = [line.partition("@")[0].rpartition(":")[2] for line in done.out.splitlines()]
    assert set(tags) == {
        f"{name}{suffix}"
        for name in ("v1.0.0", "nightly-2024-05-17-1f2e3d4")
        for suffix in ("", "_amd64", "_arm64", "_arm")
    }
    assert (
        digest_of(f"{place}/agent:v1.0.0_arm")
        == json.loads((rearch.output / "build.json").read_text())["images"][0]["platforms"][2]["digest"]
    )


def test_wrong_tags_are_told_before_anything_is_asked(rearch: Cli) -> None:
    add_built(rearch.project, "agent")
    done = rearch.run("publish", "--to", f"127.0.0.1:{free_port()}/x", "--tag", "${{ versoin }}", code=ExitCode.USAGE)
    assert "did you mean version?" in done.err


def test_a_dry_run_shows_the_difference_and_sends_nothing(rearch: Cli, server: Server, place: str) -> None:
    add_built(rearch.project, "agent")
    rearch.run("publish", "--to", place)
    add_built(rearch.project, "agent", ("linux/arm64", "linux/arm/v7"), build="2")
    before = (rearch.output / "publish.json").read_bytes()
    done = rearch.run("publish", "--to", place, "--dry-run")
    assert "linux/arm/v7 is new" in done.out
    assert "linux/amd64 goes" in done.out
    merged = rearch.run("publish", "--to", place, "--dry-run", "--merge")
    assert "linux/amd64 is kept" in merged.out
    as_json = json.loads(rearch.run("publish", "--to", place, "--dry-run", "--json").out)
    assert as_json["plans"][0]["images"][0]["tags"][0]["action"] == "moved"
    assert not [line for line in asked(server, place)[-4:] if not line.startswith(("HEAD", "GET"))]
    assert (rearch.output / "publish.json").read_bytes() == before


def test_two_builders_merge_what_they_have(rearch: Cli, place: str, tmp_path: Path) -> None:
    other = Cli(make_project(tmp_path / "other"), tmp_path / "cache-2")
    add_built(rearch.project, "agent", ("linux/amd64",))
    add_built(other.project, "agent", ("linux/arm64",))
    words = ("publish", "--to", place, "--merge")
    with rearch.start(*words) as one, other.start(*words) as two:
        assert (one.end().code, two.end().code) == (0, 0)
    assert sorted(platforms_of(f"{place}/agent:{TAG}")) == ["linux/amd64", "linux/arm64"]
    settled = digest_of(f"{place}/agent:{TAG}")
    assert rearch.run(*words).out == other.run(*words).out == f"{place}/agent:{TAG}@{settled}\n"


def test_a_merge_takes_single_images_and_docker_lists_too(rearch: Cli, server: Server, place: str) -> None:
    repository = place.partition("/")[2]
    put_image(server, f"{repository}/agent", "linux/amd64", tag=TAG)
    foreign = put_image(server, f"{repository}/scheduler", "linux/amd64", types="docker")
    put_index(server, f"{repository}/scheduler", TAG, [foreign.manifest], types="docker")
    for name in ("agent", "scheduler"):
        add_built(rearch.project, name, ("linux/arm64",))
    rearch.run("publish", "--to", place, "--merge")
    for name in ("agent", "scheduler"):
        assert platforms_of(f"{place}/{name}:{TAG}") == ["linux/amd64", "linux/arm64"]


def test_several_targets_of_which_one_is_closed(rearch: Cli, place: str, tmp_path: Path) -> None:
    digest = add_built(rearch.project, "agent")
    with run_registry(tmp_path / "closed", login=True) as closed:
        targets = f"{place},oci:{tmp_path / 'out'},{closed.host}/x"
        done = rearch.run("publish", "--to", targets, code=ExitCode.PARTIAL)
    folder = f"oci:{tmp_path / 'out'}"
    assert done.out.splitlines() == [f"{where}/agent:{TAG}@{digest}" for where in (place, folder)]
    assert f"docker login {closed.host}" in done.err
    assert f"MISSING    {closed.host}/x/agent:{TAG}" in done.err
    assert f"published  {place}/agent:{TAG}@{digest}" in done.err
    found = json.loads((rearch.output / "publish.json").read_text())
    assert [image.get("missing") for image in found["images"]] == [None, None, [f"{closed.host}/x/agent:{TAG}"]]


def test_a_registry_that_is_away_is_to_be_tried_later(rearch: Cli) -> None:
    add_built(rearch.project, "agent")
    done = rearch.run("publish", "--to", f"127.0.0.1:{free_port()}/x", code=ExitCode.TEMPORARY)
    assert done.out == ""
    assert "published in part" not in done.err


def test_a_layout_that_changed_after_the_audit_is_not_tagged(rearch: Cli, server: Server, place: str) -> None:
    add_built(rearch.project, "agent")
    layer = max((rearch.output / "images/agent/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(layer.read_bytes())
    data[99] ^= 1
    layer.write_bytes(data)
    done = rearch.run("publish", "--to", place, code=ExitCode.VERIFICATION)
    assert layer.name in done.err
    assert "invoke build" in done.err
    assert not [line for line in asked(server, place) if line.startswith("PUT") and "manifests" in line]


def test_a_changed_layout_is_not_tagged_where_the_registry_has_its_blobs(
    rearch: Cli, server: Server, place: str
) -> None:
    """Known from an earlier run, or to be mounted from another image: nobody reads the file to send it."""
    add_built(rearch.project, "agent")
    rearch.run("publish", "--to", place)
    files = sorted((rearch.output / "images/agent/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(files[-1].read_bytes())
    data[99] ^= 1
    files[-1].write_bytes(data)
    before = len(asked(server, place))
    for more in (("--tag", "latest"), ("--tag", "latest", "--to", f"{place}/elsewhere")):
        done = rearch.run("publish", "--to", place, *more, code=ExitCode.VERIFICATION)
        assert done.out == ""
        assert files[-1].name in done.err
    assert {line.split()[0] for line in asked(server, place)[before:]} == {"HEAD"}
    # Its tag is as it should be: nothing is done for it, and nothing hashed.
    assert "nothing to do: 1 tag as it should be" in rearch.run("publish", "--to", place).err


def test_a_torn_build_json_is_called_so(rearch: Cli, place: str) -> None:
    add_built(rearch.project, "agent")
    (rearch.output / "build.json").write_text("{")
    done = rearch.run("publish", "--to", place, code=ExitCode.USAGE)
    assert f"{rearch.output / 'build.json'} is damaged" in done.err
    assert "invoke build" in done.err


def test_flags_that_cannot_be_are_told_before_anything_is_asked(
    rearch: Cli, server: Server, place: str, tmp_path: Path
) -> None:
    add_built(rearch.project, "agent")
    refs = tmp_path / "none" / "refs.txt"
    for bad in (refs, tmp_path):
        done = rearch.run("publish", "--to", place, "--image-refs", bad, code=ExitCode.USAGE)
        assert f"--image-refs {bad}" in done.err
    assert not refs.parent.exists()
    done = rearch.run("publish", "--offline", "--to", f"oci:{tmp_path / 'out'},{place}", code=ExitCode.TEMPORARY)
    assert "--offline forbids to publish to a registry" in done.err
    assert asked(server, place) == []
    assert not (tmp_path / "out").exists()
    assert "1 tag set, 0 as they were" in rearch.run("publish", "--offline", "--to", f"oci:{tmp_path / 'out'}").err


def test_what_nobody_started_is_warned_of(rearch: Cli, place: str) -> None:
    add_built(rearch.project, "agent", smoke="not run")
    done = rearch.run("publish", "--to", place)
    assert "warning: demo/agent linux/arm64: nobody has started it" in done.err
    refused = rearch.run("publish", "--to", place, "--require-smoke", code=ExitCode.FAILED)
    assert "--require-smoke" in refused.err


def test_a_registry_that_lost_everything_gets_it_again(tmp_path: Path, rearch: Cli) -> None:
    """The journal says that all is there, and is not believed."""
    digest = add_built(rearch.project, "agent")
    port_folder = tmp_path / "registry"
    with run_registry(port_folder) as server:
        rearch.run("publish", "--to", f"{server.host}/x")
        repositories = server.storage / "docker/registry/v2"
        subprocess.run(["rm", "-rf", str(repositories)], check=True)
        done = rearch.run("publish", "--to", f"{server.host}/x")
        assert done.out == f"{server.host}/x/agent:{TAG}@{digest}\n"
        assert digest_of(f"{server.host}/x/agent:{TAG}") == digest


def test_a_login_is_taken_from_dockers_file(tmp_path: Path, rearch: Cli) -> None:
    import base64

    digest = add_built(rearch.project, "agent")
    logins = tmp_path / "logins"
    logins.mkdir()
    with run_registry(tmp_path / "registry", login=True) as server:
        closed = rearch.run("publish", "--to", f"{server.host}/x", code=ExitCode.USAGE)
        assert f"docker login {server.host}" in closed.err
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (logins / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
        done = rearch.run("publish", "--to", f"{server.host}/x", env={"DOCKER_CONFIG": str(logins)})
        assert done.out == f"{server.host}/x/agent:{TAG}@{digest}\n"
        assert PASSWORD not in done.err + (rearch.output / "publish.json").read_text()


def test_the_stack_says_where_to(rearch: Cli, place: str) -> None:
    digest = add_built(rearch.project, "agent", ("linux/arm64",))
    folder = rearch.project / "recipes" / "demo"
    folder.mkdir()
    text = "name: demo\nsummary: a demo\nplatforms: [arm64]\nrecipes: []\n"
    (folder / "stack.yaml").write_text(text)
    nowhere = rearch.run("publish", code=ExitCode.USAGE)
    assert "where shall it be published?" in nowhere.err
    (folder / "stack.yaml").write_text(
        f"{text}publish: {{to: ['{place}', 'oci:images'], tags: [stable], per_arch: true}}\n"
    )
    done = rearch.run("publish")
    assert f"{place}/agent:stable@{digest}" in done.out
    assert f"oci:{rearch.project}/images/agent:stable_arm64@" in done.out
    other = rearch.run("publish", "--tag", "other", "--to", place)
    assert other.out == f"{place}/agent:other@{digest}\n"


def test_an_empty_variable_of_a_ci_file_publishes_nothing(rearch: Cli) -> None:
    add_built(rearch.project, "agent")
    for flag in ("--to", "--tag"):
        assert f"{flag} is empty" in rearch.run("publish", flag, "", code=ExitCode.USAGE).err
    assert "there is no image" in rearch.run("publish", "--to", "x", "--only", "agnt", code=ExitCode.USAGE).err


def test_docker_runs_what_was_published(rearch: Cli, server: Server, place: str) -> None:
    docker = need_program("docker", "docker.io")
    arm64 = parse_platform("arm64")
    layers = {platform: [[File("program", failing(parse_platform(platform), 7))]] for platform in BOTH}
    add_built(rearch.project, "agent", layers=layers, run={"cmd": ("/program",)})
    done = rearch.run("publish", "--to", place)
    reference = done.out.strip()
    environment = engine_environment()
    with emulation(arm64):
        run = subprocess.run(
            [docker, "run", "--rm", "--network", "none", "--platform", "linux/arm64", reference],
            check=False, capture_output=True, text=True, env=environment,
        )  # fmt: skip
    assert run.returncode == 7, run.stderr
    subprocess.run([docker, "rmi", reference], check=False, capture_output=True, env=environment)
