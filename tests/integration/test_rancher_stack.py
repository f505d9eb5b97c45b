"""The recipes of recipes/rancher, as they are shipped, on repositories of upstream's shape."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from rearch.errors import ExitCode
from rearch.formats.elf import match_platform
from rearch.model.platform import Platform, parse_platform
from tests.support.binaries import elf_of, start
from tests.support.cli import ROOT, Cli
from tests.support.go_project import copy_toolchains, write_file
from tests.support.golang import download_cache
from tests.support.rancher_upstreams import TAGS, make_upstreams, source_files
from tests.support.repositories import Repository
from tests.support.warm_cache import warm_cache

RECIPES = ROOT / "recipes" / "rancher"
ARM64, AMD64, ARM = parse_platform("arm64"), parse_platform("amd64"), parse_platform("arm/v7")
COMPONENTS = {"agent", "await", "giddyup", "healthcheck", "network-manager", "scheduler", "share-mnt"}
# That of swarmkit is left out: Debian's docker client is 100 MB to fetch.
IMAGES = {"agent", "healthcheck", "network-manager", "scheduler"}
BINARIES = {name: name for name in COMPONENTS} | {"network-manager": "plugin-manager"}
METADATA = "vendor/github.com/rancher/go-rancher-metadata/metadata/utils.go"
CATTLE = {"CATTLE_URL": "http://server.example.org/v1"}
X86_CPUINFO = "processor\t: 0\nmodel name\t: Fast CPU\n\nprocessor\t: 1\nmodel name\t: Fast CPU\n"
ARM_CPUINFO = "processor\t: 0\nBogoMIPS\t: 38.40\n\nprocessor\t: 1\nBogoMIPS\t: 38.40\n"


@dataclass(frozen=True)
class Stack:
    """A project with the shipped recipes, and the repositories behind its mirror."""

    rearch: Cli
    upstreams: Path

    def binary(self, component: str, platform: Platform) -> Path:
        return self.rearch.binaries / str(platform) / component / BINARIES[component]


def make_stack(base: Path, *, mirrored: bool = True) -> Stack:
    project, upstreams = base / "project", base / "upstreams" / "rancher"
    shutil.copytree(RECIPES, project / "recipes" / "rancher")
    copy_toolchains(project)
    if mirrored:
        sites = ", ".join(f"https://github.com/{name}: 'file://{upstreams}'" for name in ("rancher", "cloudnautique"))
        write_file(project / "rearch.yaml", f"mirrors: {{{sites}}}\n")
    _pin_here(project, make_upstreams(upstreams)["swarmkit-catalog"].head)
    return Stack(Cli(project, warm_cache(base / "cache", "go-1.21")), upstreams)


def _pin_here(project: Path, commit: str) -> None:
    """swarmkit is pinned by its commit, which a repository of our own cannot have."""
    path = project / "recipes" / "rancher" / "swarmkit.yaml"
    text, count = re.subn(r"\b[0-9a-f]{40}\b", commit, path.read_text())
    assert count == 1
    path.write_text(text)


def without(stack: Stack, *keys: str) -> None:
    """Take these keys out of the recipes; without images there is nothing left of swarmkit."""
    folder = stack.rearch.project / "recipes" / "rancher"
    if "image" in keys:
        (folder / "swarmkit.yaml").unlink()
    for path in folder.glob("*.yaml"):
        recipe = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
        path.write_text(yaml.dump({key: value for key, value in recipe.items() if key not in keys}))


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Something that is made once for all processes of a test run, in the folder that all share."""
    base = factory.getbasetemp()
    base = (base.parent if base.name.startswith("popen-") else base) / "rancher"
    base.mkdir(exist_ok=True)
    with (base / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (base / f"{name}.done").exists():
            make(base / "stack")
            (base / f"{name}.done").touch()
    return base / "stack"


def _stack_at(base: Path) -> Stack:
    return Stack(Cli(base / "project", base / "cache"), base / "upstreams" / "rancher")


def _build_programs(base: Path) -> None:
    shutil.rmtree(base, ignore_errors=True)
    stack = make_stack(base)
    without(stack, "image")
    stack.rearch.run("build", "--stack", "rancher", timeout=900)


def _build_images(base: Path) -> None:
    """With the recipes as they are shipped, on the programs that are there. Debian's files are shared by test runs."""
    stack = _stack_at(base)
    shutil.copytree(RECIPES, stack.rearch.project / "recipes" / "rancher", dirs_exist_ok=True)
    downloads = stack.rearch.cache / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    shared = download_cache() / "downloads"
    shared.mkdir(parents=True, exist_ok=True)
    downloads.symlink_to(shared)
    only = ",".join(sorted(IMAGES))
    stack.rearch.run("build", "--stack", "rancher", "--arch", "arm64", "--only", only, timeout=1500)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """All programs on two platforms."""
    return _stack_at(_once(tmp_path_factory, "programs", _build_programs))


@pytest.fixture(scope="session")
def imaged(built: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Their images on one, from Debian's own packages."""
    return _stack_at(_once(tmp_path_factory, "images", _build_images))


def test_the_stack_is_built_for_the_platforms_that_it_names(built: Stack) -> None:
    index = json.loads((built.rearch.output / "build.json").read_text())["binaries"]
    assert {(one["component"], one["platform"]) for one in index} == {
        (f"rancher/{name}", str(platform)) for name in COMPONENTS for platform in (ARM64, AMD64)
    }
    for platform in (ARM64, AMD64):
        for component in COMPONENTS:
            elf = elf_of(built.binary(component, platform))
            assert match_platform(elf, platform) == ()
            assert elf.static
            assert elf.go is not None
            assert elf.go.version.startswith("go1.21")


def test_every_smoke_check_of_the_recipes_was_run(built: Stack) -> None:
    index = json.loads((built.rearch.output / "build.json").read_text())["binaries"]
    assert {one["smoke"] for one in index} <= {"passed", "not run"}
    for platform in (ARM64, AMD64):
        said = start(built.binary("agent", platform), platform, "--version")
        assert said.text == "agent version v0.13.11\n"
        assert {one["smoke"] for one in index if one["platform"] == str(platform)} == {"passed"}


def test_the_lock_pins_the_tagged_commits(built: Stack) -> None:
    names = json.loads((built.rearch.project / "rearch.lock").read_text())["names"]
    pinned = {one["url"].rpartition("/")[2]: one["commit"] for one in names.values() if one["kind"] == "git"}
    tagged = {}
    for name, tag in TAGS.items():
        repository = Repository(built.upstreams / name)
        tagged[name] = next(
            line.split("\t")[0]
            for line in (repository.path / "info/refs").read_text().splitlines()
            if line.endswith(f"refs/tags/{tag}^{{}}")
        )
        assert repository.head != tagged[name]
    assert pinned == tagged


@pytest.mark.parametrize("platform", [ARM64, AMD64], ids=str)
def test_edits_make_slow_networks_bearable(built: Stack, platform: Platform, tmp_path: Path) -> None:
    health = start(built.binary("healthcheck", platform), platform, env={"WAIT": "counted"})
    assert "waited 4m15s" in health.text
    assert health.code == 1
    network = start(built.binary("network-manager", platform), platform, env={"NETWORK": "down"})
    assert "tries 60" in network.text
    agent = start(built.binary("agent", platform), platform, env={"ADDRESS": "limit"})
    assert agent.text == "address within 3m0s\n"


@pytest.mark.parametrize("platform", [ARM64, AMD64], ids=str)
def test_the_agent_reads_a_cpuinfo_without_model_name(built: Stack, platform: Platform, tmp_path: Path) -> None:
    for text, found in ((ARM_CPUINFO, "model unknown count 2"), (X86_CPUINFO, "model Fast CPU count 2")):
        cpuinfo = write_file(tmp_path / "cpuinfo", text)
        said = start(built.binary("agent", platform), platform, env={"CPUINFO": str(cpuinfo)})
        assert said.text == found + "\n"


def schedule(stack: Stack, platform: Platform, answers: str, **env: str) -> tuple[int, str]:
    binary = stack.binary("scheduler", platform)
    said = start(binary, platform, "--metadata-address", f"answers:{answers}", env={**CATTLE, **env})
    return said.code, said.text


@pytest.mark.parametrize("platform", [ARM64, AMD64], ids=str)
def test_the_scheduler_outlives_errors_of_metadata(built: Stack, platform: Platform) -> None:
    code, text = schedule(built, platform, "-,-,one,-,two")
    assert code == 0
    assert "scheduled by one" in text
    assert "scheduled by two" in text
    code, text = schedule(built, platform, "broken,one,broken,two")
    assert (code, "scheduled by two" in text) == (0, True)
    # More than 500 in all, but never 500 on end.
    many = ",".join(["bad"] * 400)
    code, text = schedule(built, platform, f"{many},one,{many},two")
    assert (code, "scheduled by two" in text) == (0, True)
    assert schedule(built, platform, ",".join(["bad"] * 501))[0] == 2
    assert "sleep time 7" in schedule(built, platform, "one", CATTLE_SCHEDULER_SLEEPTIME="7")[1]


def test_every_image_was_audited_and_started(imaged: Stack) -> None:
    entries = {
        one["repository"]: one for one in json.loads((imaged.rearch.output / "build.json").read_text())["images"]
    }
    assert set(entries) == IMAGES
    for name, entry in entries.items():
        (one,) = entry["platforms"]
        assert one["platform"] == "linux/arm64"
        assert one["audit"]["outcome"] == "passed"
        assert one["audit"]["elves"] > 20, name
        assert one["smoke"] == "passed", name


def test_the_healthcheck_image_holds_a_haproxy_for_arm64_that_says_its_version(imaged: Stack) -> None:
    log = (imaged.rearch.output / "logs/rancher/healthcheck/image-smoke@linux_arm64.log").read_text()
    assert "HAProxy version 2.6" in log
    done = imaged.rearch.run("audit", "healthcheck")
    assert "read for linux/arm64" in done.out
    assert imaged.rearch.run("validate", "healthcheck").err.strip() == "healthcheck: whole"


def test_without_edits_and_fixes_the_ills_are_there(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    without(stack, "edits", "fixes", "image")
    stack.rearch.run("build", "--arch", "arm64", "--stack", "rancher")
    assert "waited 31s" in start(stack.binary("healthcheck", ARM64), ARM64, env={"WAIT": "counted"}).text
    assert "tries 15" in start(stack.binary("network-manager", ARM64), ARM64, env={"NETWORK": "down"}).text
    assert "within 30s" in start(stack.binary("agent", ARM64), ARM64, env={"ADDRESS": "limit"}).text
    cpuinfo = write_file(tmp_path / "cpuinfo", ARM_CPUINFO)
    said = start(stack.binary("agent", ARM64), ARM64, env={"CPUINFO": str(cpuinfo)})
    assert (said.code, "index out of range" in said.text) == (2, True)
    assert schedule(stack, ARM64, "-,one")[0] == 1
    assert schedule(stack, ARM64, "broken,one")[0] == 2
    assert schedule(stack, ARM64, "one,broken")[0] == 2
    assert schedule(stack, ARM64, "bad,bad,one,bad,bad,bad,bad")[0] == 2
    assert "sleep time 1" in schedule(stack, ARM64, "one", CATTLE_SCHEDULER_SLEEPTIME="7")[1]


def test_one_component_for_a_third_platform(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    done = stack.rearch.run("build", "--arch", "arm/v7", "--only", "share-mnt")
    elf = elf_of(stack.binary("share-mnt", ARM))
    assert match_platform(elf, ARM) == ()
    assert done.out == f"{stack.binary('share-mnt', ARM).parent}\n"
    assert "stage2" in start(stack.binary("share-mnt", ARM), ARM).text


def test_github_that_cannot_be_reached_is_a_temporary_error(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, mirrored=False)
    without(stack, "image")
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    done = stack.rearch.run("build", "--only", "scheduler", env=nowhere | {"no_proxy": None, "NO_PROXY": None}, code=75)
    assert "error: cannot reach https://github.com/rancher/scheduler" in done.err
    assert "hint: " in done.err
    assert "`mirrors:` in rearch.yaml" in done.err
    assert not (stack.rearch.project / "rearch.lock").exists()


def test_a_tag_that_moved_is_refused_with_both_commits(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    stack.rearch.run("lock", "--only", "share-mnt")
    repository = Repository(stack.upstreams / "share-mnt")
    locked = repository.read_ref(f"refs/tags/{TAGS['share-mnt']}")
    moved = repository.commit({**source_files("share-mnt"), "EVIL": "yes\n"}, "not what it was")
    repository.tag(TAGS["share-mnt"], moved)
    shutil.rmtree(stack.rearch.cache / "git")  # as on another machine: the lock is there, the cache is not
    done = stack.rearch.run("build", "--arch", "arm64", "--only", "share-mnt", code=ExitCode.VERIFICATION)
    names = json.loads((stack.rearch.project / "rearch.lock").read_text())["names"]
    (was,) = (one["commit"] for one in names.values() if one["kind"] == "git")
    assert locked != moved
    assert f"tag {TAGS['share-mnt']} of https://github.com/rancher/share-mnt has moved" in done.err
    assert f"locked: {was}" in done.err
    assert f"now:    {moved}" in done.err
    assert not (stack.rearch.binaries / str(ARM64)).exists()
    # The hint names the command that accepts it.
    accepted = stack.rearch.run("lock", "--update", "--only", "share-mnt")
    assert f"{was} -> {moved}" in accepted.err


def test_an_edit_that_upstream_has_outgrown_shows_what_is_there_now(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    without(stack, "image")
    repository = Repository(stack.upstreams / "healthcheck")
    files = source_files("healthcheck")
    text = files[METADATA]
    assert isinstance(text, str)
    drifted = text.replace("maxTime := 20 * time.Second", "maxTime := 25 * time.Second")
    repository.tag(TAGS["healthcheck"], repository.commit({**files, METADATA: drifted}))
    done = stack.rearch.run("build", "--arch", "arm64", "--only", "healthcheck", code=ExitCode.FAILED)
    assert METADATA in done.err
    assert "maxTime := 25 * time.Second" in done.err
    assert not any(step.startswith("compile") for step in done.started)
