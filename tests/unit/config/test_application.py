"""The application file and the file of hosts: what is read, what is refused, at which place and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rearch.config.application import BadApplication, read_application, read_hosts
from rearch.config.schema import render_schemas
from rearch.errors import ExitCode
from rearch.model.application import Application, Port, Service, Volume
from rearch.model.base import Fault
from tests.support.yaml_projects import said

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/wordpress"


def read(folder: Path, text: str) -> Application:
    (folder / "app.yaml").write_text(text)
    return read_application(folder / "app.yaml").value


def service(folder: Path, keys: str) -> Service:
    return read(folder, f"name: a\nservices:\n  web: {{image: x/y:1, {keys}}}\n").services["web"]


def wrong(folder: Path, text: str, reader: Callable[[Path], Any] = read_application) -> list[str]:
    (folder / "app.yaml").write_text(text)
    with pytest.raises(BadApplication) as caught:
        reader(folder / "app.yaml")
    assert caught.value.exit_code is ExitCode.USAGE
    return [line.removeprefix(f"{folder}/") for line in said(caught.value.problems)]


def test_the_example_of_the_talk() -> None:
    application = read_application(EXAMPLE / "app.yaml").value
    assert list(application.services) == ["mysql", "wordpress"]
    assert application.services["wordpress"].on == {"type": "raspberry"}
    assert [str(each) for each in application.services["mysql"].platforms] == ["linux/amd64"]
    hosts = read_hosts(EXAMPLE / "hosts.yaml").value.hosts
    assert {name: str(host.platform) for name, host in hosts.items()} == {"pi1": "linux/arm64", "vm1": "linux/amd64"}


@pytest.mark.parametrize(("schema", "name"), [("application.json", "app.yaml"), ("hosts.json", "hosts.yaml")])
def test_the_example_fits_the_schemas(schema: str, name: str) -> None:
    validator = Draft202012Validator(json.loads(render_schemas()[schema]))
    document = yaml.safe_load((EXAMPLE / name).read_text().replace(" on:", ' "on":'))
    assert [error.message for error in validator.iter_errors(document)] == []


def test_values_are_text(tmp_path: Path) -> None:
    read_one = service(tmp_path, "environment: {ON: yes, V: 1.10, N: 0x1F}, on: {zone: 007}, ports: [80:80]")
    assert read_one.environment == {"ON": "yes", "V": "1.10", "N": "0x1F"}
    assert read_one.on == {"zone": "007"}
    assert read_one.ports == ("80:80",)


def test_architectures_have_many_spellings_and_one_order(tmp_path: Path) -> None:
    one = service(tmp_path, "arch: aarch64")
    assert one.arch == ("linux/arm64",)
    several = service(tmp_path, "arch: [armhf, arm64, linux/arm/v7]")
    assert [str(platform) for platform in several.platforms] == ["linux/arm/v7", "linux/arm64"]


def test_replicas(tmp_path: Path) -> None:
    assert (service(tmp_path, "replicas: 3").count, service(tmp_path, "replicas: 0").count) == (3, 0)
    everywhere = service(tmp_path, "replicas: global")
    assert (everywhere.is_global, everywhere.count) == (True, 1)


def test_ports_and_volumes_in_parts(tmp_path: Path) -> None:
    found = service(tmp_path, "ports: ['80', '8080:80', '53:5353/udp'], volumes: ['db:/var/db', '/srv:/srv:ro']")
    assert found.parsed_ports == (
        Port(container=80, host=None, protocol="tcp"),
        Port(container=80, host=8080, protocol="tcp"),
        Port(container=5353, host=53, protocol="udp"),
    )
    assert found.parsed_volumes == (
        Volume(source="db", target="/var/db", read_only=False),
        Volume(source="/srv", target="/srv", read_only=True),
    )


BAD_KEYS = [
    ("onn: {type: a}", "unknown key services.web.onn; did you mean on?"),
    ("ports: [80-90]", "services.web.ports[0]: 80-90: a port is written"),
    ("ports: ['70000:80']", "services.web.ports[0]: 70000:80: a port is written"),
    ("ports: ['127.0.0.1:80:80']", "no ranges, no addresses"),
    ("volumes: [data]", "services.web.volumes[0]: data: a volume is written"),
    ("volumes: ['../x:/y']", "services.web.volumes[0]: ../x:/y: a volume is written"),
    ("volumes: ['Db:/y']", "the name of a volume has lower-case letters"),
    ("volumes: ['/x/../y:/y']", "a volume is written"),
    ("arch: arm65", "services.web.arch: arm65: arm65 is no platform; known: amd64, arm64"),
    ("arch: [arm64, z80]", "z80 is no platform"),
    ("arch: []", "a platform, or a list of them, is wanted"),
    ("replicas: many", "services.web.replicas: many: a number up to 1000 is wanted, or `global`"),
    ("replicas: -1", "services.web.replicas: -1: a number up to 1000 is wanted"),
    ("memory: lots", "services.web.memory"),
    ("on: {arch: arm64}", "services.web.on.arch: the label arch is made from the host's architecture"),
    ("on: {'a b': c}", "a label's key is not empty and has no blank"),
    ("on: {type: 'a,b'}", "services.web.on.type: a,b: a label's value is not empty and has no blank"),
    ("on: {type: a}, not_on: {type: a}", "services.web.not_on.type: on wants type=a, and this does not"),
    ("prefer: {t: a}, prefer_not: {t: a}", "services.web.prefer_not.t: prefer wants t=a"),
    ("environment: {1A: b}", "a variable's name has letters"),
    ("environment: {A: }", "services.web.environment.A: no value"),
    ("depends_on: [db]", "services.web.depends_on[0]: there is no service db"),
    ("depends_on: [web]", "services.web.depends_on: web would have to be started before itself"),
]


@pytest.mark.parametrize(("keys", "text"), BAD_KEYS, ids=[keys for keys, _ in BAD_KEYS])
def test_what_is_wrong_in_a_service(tmp_path: Path, keys: str, text: str) -> None:
    problems = wrong(tmp_path, f"name: a\nservices:\n  web: {{image: x/y:1, {keys}}}\n")
    assert len(problems) == 1
    assert problems[0].startswith("app.yaml:3:"), problems
    assert text in problems[0]


def test_circles_are_found_over_several_services(tmp_path: Path) -> None:
    text = "name: a\nservices:\n" + "".join(
        f"  {one}: {{image: x/y:1, depends_on: [{other}]}}\n" for one, other in ("ab", "bc", "cb")
    )
    assert wrong(tmp_path, text) == ["app.yaml:4:21: services.b.depends_on: b would have to be started before itself"]


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    text = "name: A\nservices:\n  Web: {image: 'x y'}\n  b: {ports: [x]}\nother: 1\n"
    places = [line.split(": ")[0] for line in wrong(tmp_path, text)]
    assert places == ["app.yaml:1:7", "app.yaml:3:3", "app.yaml:3:16", "app.yaml:4:3", "app.yaml:4:15", "app.yaml:5:1"]


@pytest.mark.parametrize(
    ("text", "said_of_it"),
    [
        ("hosts: {}", "app.yaml:1:8: hosts: at least 1 wanted, 0 given"),
        ("hosts: {pi 1: {arch: arm64}}", "the name of a host has letters"),
        ("hosts: {pi: {}}", "app.yaml:1:13: hosts.pi.arch is missing"),
        ("hosts: {pi: {arch: z80}}", "no such platform"),
        ("hosts: {pi: {arch: arm64, label: {a: b}}}", "unknown key hosts.pi.label; did you mean labels?"),
    ],
)
def test_what_is_wrong_in_hosts(tmp_path: Path, text: str, said_of_it: str) -> None:
    (problem,) = wrong(tmp_path, text, read_hosts)
    assert said_of_it in problem


def test_what_turns_out_later_has_its_place_too(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("name: a\nservices:\n  web:\n    image: x/y:1\n    on:\n      kind: b\n")
    file = read_application(tmp_path / "app.yaml")
    file.refuse([])
    with pytest.raises(BadApplication) as caught:
        file.refuse([Fault(("services", "web", "on", "kind"), "not so")])
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.text) == (6, 13, "not so")
    assert problem.file == str(tmp_path / "app.yaml")
    assert caught.value.hint == "schema/application.json describes every key"


@pytest.mark.parametrize("name", ["missing.yaml", ".", "a\0b"])
def test_a_file_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadApplication):
        read_application(tmp_path / name)


def rendered(folder: Path, text: str) -> str:
    (folder / "app.yaml").write_text(text)
    with pytest.raises(BadApplication) as caught:
        read_application(folder / "app.yaml")
    return caught.value.render()


def test_no_error_shows_a_password(tmp_path: Path) -> None:
    """Neither one that stands beside what is wrong, nor a login in the name of an image."""
    beside = rendered(tmp_path, "name: a\nservices: {w: {image: x/y:1, environment: {A: hush}, onn: {}}}\n")
    assert "app.yaml:2:" in beside
    assert "unknown key services.w.onn" in beside
    login = rendered(tmp_path, "name: a\nservices:\n  w:\n    image: user:hush@example.org/a\n")
    assert "app.yaml:4:12" in login
    assert "hush" not in beside + login


def test_a_line_without_secrets_is_shown(tmp_path: Path) -> None:
    assert "onn: {}\n" in rendered(tmp_path, "name: a\nservices:\n  w:\n    image: x/y\n    onn: {}\n")


def test_what_is_no_yaml(tmp_path: Path) -> None:
    assert "app.yaml:2:9: not YAML" in rendered(tmp_path, "name: [a\nservices: b\n")
