"""`place` and `place check` as a user meets them, against a real registry; and the scripts that label hosts, run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rearch.errors import ExitCode
from tests.support.cli import ROOT, Cli, Ran
from tests.support.needs import need_program
from tests.support.rancher_hosts import KEY, SECRET, run_hosts_api
from tests.support.registry import Server, run_registry
from tests.support.registry_images import put_image, put_index

EXAMPLE = ROOT / "examples/wordpress"
WRITTEN = {
    "cattle": ["docker-compose.yml", "labels.sh", "rancher-compose.yml"],
    "kubernetes": ["kubernetes.yml", "labels.sh"],
    "marathon": ["labels.sh", "marathon.json"],
    "swarm": ["docker-stack.yml", "labels.sh"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


class Here:
    """The command line in this process, which starts faster; in a folder that is no project."""

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project = project
        self.output = project / "output"
        self._capsys = capsys

    def run(self, *words: str | Path, code: int | None = 0) -> Ran:
        """Run to the end. Fails the test on another exit code; None takes any."""
        from rearch.cli.program import Rearch, collection

        argv = ("rearch", *map(str, words))
        program = Rearch(name="rearch", binary="rearch", namespace=collection())
        found: Any = 0
        try:
            program.run([*argv])
        except SystemExit as end:
            found = end.code
        told = self._capsys.readouterr()
        ran = Ran(argv, int(found), told.out, told.err, 0.0)
        assert code is None or ran.code == code, str(ran)
        return ran


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "REARCH_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return Here(folder, capsys)


def put(server: Server, repository: str, *arches: str) -> str:
    """An index, or for one architecture the image alone; its name."""
    if len(arches) == 1:
        put_image(server, repository, arches[0], tag="1")
    else:
        put_index(server, repository, "1", [put_image(server, repository, arch).manifest for arch in arches])
    return f"{server.host}/{repository}:1"


def application(cli: Here, wordpress: str, mysql: str) -> Path:
    """The talk's example, with images of this registry, and its hosts."""
    document = yaml.safe_load((EXAMPLE / "app.yaml").read_text().replace(" on:", ' "on":'))
    document["services"]["wordpress"]["image"] = wordpress
    document["services"]["mysql"]["image"] = mysql
    (cli.project / "hosts.yaml").write_text((EXAMPLE / "hosts.yaml").read_text())
    (cli.project / "app.yaml").write_text(json.dumps(document))
    return cli.project / "app.yaml"


# --- place


def test_all_four_kinds_below_output(cli: Here) -> None:
    ran = cli.run("place", EXAMPLE / "app.yaml")
    folder = cli.project / "output/place/wordpress"
    assert {each.name: sorted(path.name for path in each.iterdir()) for each in folder.iterdir()} == WRITTEN
    assert sorted(map(Path, ran.out.split())) == sorted(folder.glob("*/*"))
    assert "marathon: mysql: Mesos knows no architecture" in ran.err


def test_the_example_of_the_talk_in_all_four_languages(cli: Here) -> None:
    cli.run("place", EXAMPLE / "app.yaml", "--out", "x")

    def read(name: str) -> Any:
        return list(yaml.safe_load_all((cli.project / "x" / name).read_text()))

    label = "io.rancher.scheduler.affinity:host_label"
    (cattle,) = read("cattle/docker-compose.yml")
    assert cattle["services"]["wordpress"]["labels"] == {label: "type=raspberry"}
    assert cattle["services"]["mysql"]["labels"] == {label: "arch=x86_64,type=vm"}
    (swarm,) = read("swarm/docker-stack.yml")
    rules = {name: each["deploy"]["placement"]["constraints"] for name, each in swarm["services"].items()}
    assert rules == {
        "wordpress": ["node.labels.type==raspberry"],
        "mysql": ["node.platform.arch==x86_64", "node.labels.type==vm"],
    }
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["nodeSelector"]
        for each in read("kubernetes/kubernetes.yml")
        if each["kind"] == "Deployment"
    }
    assert pods == {"wordpress": {"type": "raspberry"}, "mysql": {"kubernetes.io/arch": "amd64", "type": "vm"}}
    group = json.loads((cli.project / "x/marathon/marathon.json").read_text())
    assert {app["id"]: app["constraints"] for app in group["apps"]} == {
        "/wordpress/wordpress": [["type", "LIKE", "raspberry"]],
        "/wordpress/mysql": [["arch", "LIKE", "x86_64"], ["type", "LIKE", "vm"]],
    }


def test_the_same_bytes_again(cli: Here) -> None:
    for folder in ("a", "b"):
        cli.run("place", EXAMPLE / "app.yaml", "--hosts", EXAMPLE / "hosts.yaml", "--out", folder)
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.glob("*/*")}
        for root in (cli.project / "a", cli.project / "b")
    )
    assert first == second
    assert len(first) == sum(map(len, WRITTEN.values()))


def test_one_kind_goes_to_stdout_and_its_script_to_stderr(cli: Here) -> None:
    ran = cli.run("place", EXAMPLE / "app.yaml", "--for", "marathon")
    assert json.loads(ran.out)["id"] == "/wordpress"
    assert "mesos-slave --attributes=type:raspberry" in ran.err
    assert not cli.output.exists()
    compose, rancher = yaml.safe_load_all(cli.run("place", EXAMPLE / "app.yaml", "--for", "cattle").out)
    assert compose["services"].keys() == rancher["services"].keys()


def test_one_kind_into_a_folder(cli: Here) -> None:
    cli.run("place", EXAMPLE / "app.yaml", "--for", "swarm", "--out", "stack")
    assert sorted(path.name for path in (cli.project / "stack").iterdir()) == WRITTEN["swarm"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "nomad"), "hint: use cattle, swarm, kubernetes, marathon"),
        (("--for", "kubernetes,swarm"), "app.yaml:2:42: a@b=c: for kubernetes, a key has at most 63"),
        (("--for", "marathon"), "a@b=c: for marathon, an attribute's name has"),
        (("--hosts", "none.yaml"), "none.yaml: cannot be read: No such file"),
    ],
)
def test_bad_input_has_its_place_and_writes_nothing(cli: Here, words: tuple[str, ...], said: str) -> None:
    (cli.project / "app.yaml").write_text("name: a\nservices: {w: {image: x/y:1, on: {'a@b': c}}}\n")
    ran = cli.run("place", "app.yaml", *words, code=ExitCode.USAGE)
    assert said in ran.err
    assert ran.out == ""
    assert not cli.output.exists()


# --- place check


def test_an_application_that_fits(cli: Here, server: Server) -> None:
    file = application(cli, put(server, "good/wordpress", "amd64", "arm64"), put(server, "good/mysql", "amd64"))
    ran = cli.run("place", "check", file, "--hosts", "hosts.yaml")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["SERVICE", "mysql", "wordpress"]
    assert ran.out.splitlines()[1].endswith("linux/amd64               vm1")
    assert ran.err == ""


def test_the_x86_image_is_found_before_it_is_on_the_pi(cli: Here, server: Server) -> None:
    image = put(server, "bad/wordpress", "amd64")
    file = application(cli, image, put(server, "good/mysql", "amd64"))
    ran = cli.run("place", "check", file, "--hosts", "hosts.yaml", code=ExitCode.VERIFICATION)
    problem = f"wordpress: pi1 is linux/arm64, and {image} is for linux/amd64"
    assert f"WRONG   {problem}" in ran.out
    assert f"error: app.yaml: placement of wordpress cannot work\n  {problem}\nhint: " in ran.err
    found = json.loads(cli.run("place", "check", file, "--hosts", "hosts.yaml", "--json", code=3).out)
    assert [(each["service"], each["platforms"], each["hosts"][0]["fit"]) for each in found["services"]] == [
        ("mysql", ["linux/amd64"], "runs"),
        ("wordpress", ["linux/amd64"], "cannot"),
    ]


def test_an_image_that_is_labelled_wrongly_is_found(cli: Here, server: Server) -> None:
    from rearch.model.platform import parse_platform
    from rearch.oci.types import PlatformObject

    lying = put_image(server, "lying", "arm64", config_platform=PlatformObject.of(parse_platform("amd64")))
    put_index(server, "lying", "1", [lying.manifest])
    file = application(cli, f"{server.host}/lying:1", put(server, "good/mysql", "amd64"))
    ran = cli.run("place", "check", file, "--hosts", "hosts.yaml", code=ExitCode.VERIFICATION)
    assert "it is labelled linux/arm64, and its config says linux/amd64" in ran.out


def test_a_service_without_a_host(cli: Here, server: Server) -> None:
    file = application(cli, put(server, "good/wordpress", "amd64", "arm64"), put(server, "good/mysql", "amd64"))
    (cli.project / "hosts.yaml").write_text("hosts: {pi1: {arch: arm64, labels: {type: raspberry}}}\n")
    ran = cli.run("place", "check", file, "--hosts", "hosts.yaml", code=ExitCode.VERIFICATION)
    assert "mysql: no host fits its rules: type=vm, linux/amd64" in ran.err


def test_an_image_that_is_not_there_and_the_others_all_the_same(cli: Here, server: Server) -> None:
    file = application(cli, f"{server.host}/good/none:1", put(server, "good/mysql", "amd64"))
    ran = cli.run("place", "check", file, "--hosts", "hosts.yaml", code=ExitCode.USAGE)
    assert ran.err.startswith(f"error: {server.host}/good/none:1 is not in the registry")
    assert "linux/amd64  vm1" in ran.out
    assert "pi1 (?)" in ran.out


def test_a_wrong_image_outranks_one_that_is_not_there(cli: Here, server: Server) -> None:
    file = application(cli, put(server, "bad/wordpress", "amd64"), f"{server.host}/good/none:1")
    ran = cli.run("place", "check", file, "--hosts", "hosts.yaml", code=ExitCode.VERIFICATION)
    assert ran.err.count("error: ") == 2


def test_each_image_is_asked_for_once(cli: Here, server: Server) -> None:
    image = put(server, "once/web", "arm64")
    services = "".join(f"  w{number}: {{image: '{image}'}}\n" for number in range(5))
    (cli.project / "app.yaml").write_text(f"name: a\nservices:\n{services}")
    (cli.project / "hosts.yaml").write_text("hosts: {pi1: {arch: arm64}}\n")
    before = len(server.requests())
    cli.run("place", "check", "app.yaml", "--hosts", "hosts.yaml")
    asked = [request for request in server.requests()[before:] if "/manifests/1" in request]
    assert len(asked) == 1


def test_check_needs_hosts(cli: Here) -> None:
    ran = cli.run("place", "check", EXAMPLE / "app.yaml", code=ExitCode.USAGE)
    assert ran.err.startswith("error: --hosts is missing")


def test_as_a_process_of_its_own(cli: Here, server: Server, tmp_path: Path) -> None:
    """Two words of a user's shell; `invoke` takes the second with a dot."""
    application(cli, put(server, "bad/wordpress", "amd64"), put(server, "good/mysql", "amd64"))
    process = Cli(cli.project, tmp_path / "cache", {"DOCKER_CONFIG": str(tmp_path)})
    for words in (("place", "check"), ("place.check",)):
        ran = process.run(*words, "app.yaml", "--hosts", "hosts.yaml", code=ExitCode.VERIFICATION)
        assert "placement of wordpress cannot work" in ran.err


def test_without_the_network_every_image_is_an_error(cli: Here) -> None:
    ran = cli.run("place.check", EXAMPLE / "app.yaml", "--hosts", EXAMPLE / "hosts.yaml", "--offline", code=75)
    assert ran.err.count("error: ") == 2
    assert ran.out.startswith("SERVICE")


# --- the scripts


def script(
    cli: Here, target: str, programs: dict[str, str], *words: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """Writes the example's script and runs it. `programs`: shell scripts on PATH, before all others."""
    cli.run("place", EXAMPLE / "app.yaml", "--hosts", EXAMPLE / "hosts.yaml", "--for", target, "--out", "s")
    folder = cli.project / "bin"
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "no_proxy": "*", **env}
    argv = ("sh", str(cli.project / "s/labels.sh"), *words)
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def test_hosts_of_rancher_get_labels_and_keep_theirs(cli: Here) -> None:
    need_program("curl", "curl")
    need_program("jq", "jq")
    with run_hosts_api({"pi1": {"old": "1", "type": "x"}, "vm1": {}, "other": {"a": "b"}}) as api:
        key = {"CATTLE_URL": api.url, "CATTLE_ACCESS_KEY": KEY, "CATTLE_SECRET_KEY": SECRET}
        ran = script(cli, "cattle", {}, **key)
        assert ran.returncode == 0, ran.stderr
        assert api.labels == {
            "pi1": {"old": "1", "type": "raspberry", "arch": "aarch64"},
            "vm1": {"type": "vm", "arch": "x86_64"},
            "other": {"a": "b"},
        }
        assert SECRET not in ran.stdout + ran.stderr


def test_a_host_that_rancher_does_not_know_stops_the_script(cli: Here) -> None:
    need_program("curl", "curl")
    need_program("jq", "jq")
    with run_hosts_api({"vm1": {}}) as api:
        ran = script(cli, "cattle", {}, CATTLE_URL=api.url, CATTLE_ACCESS_KEY=KEY, CATTLE_SECRET_KEY=SECRET)
        assert (ran.returncode, ran.stderr) == (1, "pi1: not one host of that name in this environment\n")
        assert api.labels == {"vm1": {}}


def test_a_wrong_key_stops_the_script(cli: Here) -> None:
    need_program("curl", "curl")
    need_program("jq", "jq")
    with run_hosts_api({"pi1": {}, "vm1": {}}) as api:
        ran = script(cli, "cattle", {}, CATTLE_URL=api.url, CATTLE_ACCESS_KEY=KEY, CATTLE_SECRET_KEY="wrong")
        assert ran.returncode != 0
        assert "401" in ran.stderr
        assert not any(request.startswith("PUT") for request in api.requests)


def test_what_kubectl_is_told(cli: Here) -> None:
    ran = script(cli, "kubernetes", {"kubectl": 'echo "$@"'})
    assert ran.stdout.splitlines() == [
        "label node pi1 --overwrite kubernetes.io/arch=arm64 type=raspberry",
        "label node vm1 --overwrite kubernetes.io/arch=amd64 type=vm",
    ]


def test_what_a_mesos_agent_is_started_with(cli: Here) -> None:
    ran = script(cli, "marathon", {"mesos-slave": 'printf "%s\\n" "$@"'}, "pi1", "--master=zk://m/mesos")
    assert ran.stdout.splitlines() == ["--attributes=arch:aarch64;type:raspberry", "--master=zk://m/mesos"]


def test_an_agent_that_nobody_knows_is_not_started(cli: Here) -> None:
    ran = script(cli, "marathon", {"mesos-slave": "echo started"}, "pi9")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "pi9: no attributes are known for it" in ran.stderr
