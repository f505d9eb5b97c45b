"""schema/ and docs/reference.md are what the models say; and the schemas are right about real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rearch.config.application import read_application, read_hosts
from rearch.config.examples import EXAMPLES
from rearch.config.manifest_spec import read_manifest_spec
from rearch.config.reference import render_reference
from rearch.config.schema import DRAFT, render_schemas
from rearch.config.settings import has_variable, leaves, variable
from rearch.model.recipe import Recipe
from rearch.model.settings import Settings
from rearch.model.stack import StackFile
from rearch.model.toolchain import Toolchain
from rearch.placing.rules import candidates
from tests.support.yaml_projects import RECIPE, STACK, load

ROOT = Path(__file__).parents[3]
SCHEMAS = render_schemas()
FILES = {
    "Recipe": "recipe.json",
    "StackFile": "stack.json",
    "Toolchain": "toolchain.json",
    "Settings": "settings.json",
    "ManifestSpec": "manifest-spec.json",
    "Application": "application.json",
    "HostsFile": "hosts.json",
}


class Editor(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `on` and `no` are texts, `true` and `false` alone are flags."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (as PyYAML has it)
        first: [(tag, pattern) for tag, pattern in found if not (tag.endswith(":bool") and first not in "tTfF")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def errors(schema: str, text: str) -> list[str]:
    """What an editor would underline: its YAML reader sees numbers and flags where rearch sees texts."""
    document: Any = yaml.load(text, Loader=Editor)
    return [error.message for error in Draft202012Validator(json.loads(SCHEMAS[schema])).iter_errors(document)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_committed_schemas_are_current(name: str) -> None:
    assert (ROOT / "schema" / name).read_text() == SCHEMAS[name], "run `invoke schema`"


def test_there_are_no_other_schemas() -> None:
    assert {path.name for path in (ROOT / "schema").iterdir()} == set(SCHEMAS)


def test_the_committed_reference_is_current() -> None:
    assert (ROOT / "docs/reference.md").read_text() == render_reference(), "run `invoke schema`"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name: str) -> None:
    schema = json.loads(SCHEMAS[name])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DRAFT
    assert schema["title"]
    assert SCHEMAS[name].endswith("}\n")
    assert list(schema["properties"]) == sorted(schema["properties"])


def _objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _objects(item)]
    if not isinstance(schema, dict):
        return []
    inner = [found for item in schema.values() for found in _objects(item)]
    return [schema, *inner] if isinstance(schema.get("properties"), dict) else inner


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_has_a_description_and_unknown_ones_are_refused(name: str) -> None:
    objects = _objects(json.loads(SCHEMAS[name]))
    assert objects
    for one in objects:
        assert one["additionalProperties"] is False
        assert all(key["description"] for key in one["properties"].values())


@pytest.mark.parametrize("model", [Recipe, StackFile, Toolchain, Settings])
def test_every_key_of_a_model_is_in_schema_and_reference(model: Any) -> None:
    schema = json.loads(SCHEMAS[FILES[model.__name__]])
    assert set(schema["properties"]) == set(model.model_fields)
    assert all(f"| `{name}` |" in render_reference() for name in model.model_fields)


@pytest.mark.parametrize("model", EXAMPLES)
def test_examples_fit_their_schemas(model: str) -> None:
    assert errors(FILES[model], EXAMPLES[model]) == []


def test_the_example_of_a_spec_is_one(tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(EXAMPLES["ManifestSpec"])
    spec = read_manifest_spec(path)
    assert [str(name) for name in spec.names] == [f"registry.example.org/team/app:{tag}" for tag in ("1.0", "latest")]


def test_the_examples_of_placement_are_read(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.yaml" for name in ("Application", "HostsFile")}
    for name, path in files.items():
        path.write_text(EXAMPLES[name])
    application = read_application(files["Application"]).value
    hosts = read_hosts(files["HostsFile"]).value
    admitted = {name: candidates(service, hosts) for name, service in application.services.items()}
    assert admitted == {"mysql": ("vm1",), "wordpress": ("pi1",)}


def test_the_examples_are_a_project(tmp_path: Path) -> None:
    files = {
        "recipes/s/stack.yaml": None,
        "recipes/s/a.yaml": None,
        "toolchains/go-1.yaml": None,
        "rearch.yaml": EXAMPLES["Settings"],
        "recipes/rancher/stack.yaml": EXAMPLES["StackFile"],
        "recipes/rancher/healthcheck.yaml": EXAMPLES["Recipe"],
        "toolchains/go-1.27.yaml": EXAMPLES["Toolchain"],
    }
    (stack,) = load(tmp_path, files).stacks
    assert [component.id for component in stack.components] == ["rancher/healthcheck"]


SHIPPED = sorted(path for folder in ("recipes", "toolchains") for path in (ROOT / folder).glob("**/*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_files_fit_their_schemas(path: Path) -> None:
    if path.is_relative_to(ROOT / "toolchains"):
        schema = "toolchain.json"
    else:
        schema = "stack.json" if path.name == "stack.yaml" else "recipe.json"
    assert errors(schema, path.read_text()) == []


@pytest.mark.parametrize(
    ("schema", "text", "wrong"),
    [
        ("recipe.json", "name: 386\nversion: 1.10\nbuild: {go: {strip: false, tags: [no, 1]}}", False),
        ("recipe.json", "name: a\nbuild: {go: {layout: '${{ vars.l }}', strip: '${{ vars.s }}'}}", False),
        ("recipe.json", "name: a\nplatforms: {arm64: {build: {go: {cgo: null, tags: [x]}}}}", False),
        ("recipe.json", "name: a\nsource: {ref: x}", False),
        ("recipe.json", "summary: x", True),
        ("recipe.json", "name: a\ncolour: red", True),
        ("recipe.json", "name: a\nbuild: {go: {layout: x}}", True),
        ("recipe.json", "name: a\nbuild: {go: {binaries: {}}}", False),
        ("recipe.json", "name: a\nbuild: {go: {binaries: []}}", True),
        ("recipe.json", "name: a\nedits: [{file: x}]", True),
        ("recipe.json", "name: a\npatch: {fuzz: 4}", True),
        ("recipe.json", "name: a\nplatforms: {arm64: {edits: []}}", True),
        ("recipe.json", "name: A b", True),
        ("stack.json", STACK + "defaults: {build: {go: {layout: gopath}}, platforms: {arm64: {smoke: []}}}", False),
        ("stack.json", STACK + "defaults: {biuld: {}}", True),
        ("stack.json", "name: s\nsummary: x\nplatforms: []", True),
        ("defaults.json", "include: [x.yaml]\nverify: {link: any}", False),
        ("defaults.json", "verify: {link: x}", True),
        ("settings.json", "jobs: 4\noffline: true\nlimits: {archive_bytes: 4G, log_bytes: 1024}\ntimeout: 1.5", False),
        ("settings.json", "limits: {archive_bytes: much}", True),
        ("settings.json", "jobs: 5000", True),
        ("toolchain.json", "name: go-1\nkind: go\nsystem: '>=1.2'", False),
        ("toolchain.json", "name: go-1\nkind: rust", True),
    ],
)
def test_what_schemas_say(schema: str, text: str, wrong: bool) -> None:
    assert bool(errors(schema, text)) is wrong


def test_a_good_recipe_fits() -> None:
    assert errors("recipe.json", RECIPE) == []


def test_the_reference_names_every_setting_with_its_variable() -> None:
    page = render_reference()
    assert all((f"`{variable(path)}`" in page) is has_variable(shape) for path, shape in leaves())
    assert "`REARCH_REGISTRIES_" not in page


def test_the_reference_describes_each_mapping_once() -> None:
    heads = [line for line in render_reference().splitlines() if line.startswith("### ")]
    assert len(heads) == len(set(heads))
    assert "### Recipe: `image.base` with `debian`" in heads
    assert "### Recipe: `image.stages`, each" in heads
    assert not any("image.stages.accounts" in line for line in heads)


def test_the_reference_is_markdown_without_stray_html() -> None:
    outside = [part for line in render_reference().splitlines() for part in line.split("`")[::2]]
    found = [part for part in outside if "<" in part and "<!--" not in part]
    assert found == []
