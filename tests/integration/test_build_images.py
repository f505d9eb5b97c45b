"""From recipes to images: what is in them, what other tools say of them, and what a second build does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.elf import match_platform
from rearch.model.digest import Digest
from rearch.model.platform import parse_platform
from tests.support.binaries import elf_of
from tests.support.cli import Cli
from tests.support.image_project import add_image, build_json, config_of, image_demo, index_of, layout_of, named
from tests.support.needs import need_program
from tests.support.warm_cache import demo, warm_cache

BOTH = ("build", "--arch", "arm64,amd64")


def digest_of(rearch: Cli, repository: str = "hello") -> str:
    return named(layout_of(rearch, repository))["v1.0.0"].digest


def run(*argv: str | Path) -> str:
    done = subprocess.run(list(map(str, argv)), check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    rearch = image_demo(tmp_path_factory.mktemp("built"))
    rearch.run(*BOTH)
    return rearch


def test_an_index_joins_both_platforms(built: Cli) -> None:
    layout = layout_of(built, "hello")
    index = index_of(layout, "v1.0.0")
    assert [str(item.platform) for item in index.manifests] == ["linux/amd64", "linux/arm64"]
    assert set(named(layout)) == {"v1.0.0", "v1.0.0-linux-amd64", "v1.0.0-linux-arm64"}
    assert index.annotations is not None
    assert index.annotations["org.opencontainers.image.version"] == "v1.0.0"


def test_the_last_line_of_the_answer_is_the_image_with_its_digest(built: Cli) -> None:
    again = built.run(*BOTH)
    assert again.out.splitlines()[-1] == f"{layout_of(built, 'hello')}:v1.0.0@{digest_of(built)}"


def test_the_config_says_what_the_recipe_says(built: Cli) -> None:
    config = config_of(layout_of(built, "hello"), "v1.0.0-linux-arm64")
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert config["config"]["Entrypoint"] == ["/usr/bin/hello"]
    assert "GREETED=from arm64" in config["config"]["Env"]
    assert config["config"]["Labels"]["team"] == "tests"
    assert config["config"]["Labels"]["org.opencontainers.image.title"] == "hello"
    amd64 = config_of(layout_of(built, "hello"), "v1.0.0-linux-amd64")
    assert "GREETED=from amd64" in amd64["config"]["Env"]


def test_skopeo_reads_the_layout(built: Cli) -> None:
    skopeo = need_program("skopeo", "skopeo")
    for arch in ("arm64", "amd64"):
        text = run(skopeo, f"--override-arch={arch}", "inspect", f"oci:{layout_of(built, 'hello')}:v1.0.0")
        found = json.loads(text)
        assert (found["Architecture"], found["Os"]) == (arch, "linux")


def test_umoci_unpacks_what_was_verified(built: Cli, tmp_path: Path) -> None:
    umoci = need_program("umoci", "umoci")
    run(
        umoci,
        "raw",
        "unpack",
        "--rootless",
        "--image",
        f"{layout_of(built, 'hello')}:v1.0.0-linux-arm64",
        tmp_path / "tree",
    )
    program = tmp_path / "tree/usr/bin/hello"
    assert match_platform(elf_of(program), parse_platform("arm64")) == ()
    assert program.read_bytes() == (built.binaries / "linux/arm64/hello/hello").read_bytes()
    assert program.stat().st_mode & 0o777 == 0o755


def test_build_json_lists_the_image(built: Cli) -> None:
    (entry,) = build_json(built)["images"]
    assert entry["digest"] == digest_of(built)
    assert entry["path"] == "images/hello"
    for one in entry["platforms"]:
        assert one["smoke"] == "passed"
        assert one["audit"]["outcome"] == "passed"
        assert one["size"] > 100_000


def test_the_dockerfile_is_kept_for_people(built: Cli) -> None:
    text = (built.output / "dockerfiles/linux/arm64/hello.Dockerfile").read_text()
    assert "FROM scratch" in text
    assert "linux/arm64/hello" in text


def test_nothing_is_read_or_written_the_second_time(tmp_path: Path) -> None:
    rearch = image_demo(tmp_path)
    rearch.run(*BOTH)
    before = {path: path.stat() for path in sorted(layout_of(rearch, "hello").rglob("*"))}
    (rearch.project / "rearch.yaml").write_text("jobs: 1\n")  # so that a plan is made
    again = rearch.run(*BOTH)
    assert again.started == ()
    for path, status in before.items():
        now = path.stat()
        assert (now.st_ino, now.st_mtime_ns, now.st_ctime_ns) == (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


def test_a_label_makes_the_config_again_and_no_layer(tmp_path: Path) -> None:
    rearch = image_demo(tmp_path)
    rearch.run("build", "--arch", "arm64")
    layers = build_json(rearch)["images"][0]["platforms"][0]["layers"]
    recipe = rearch.project / "recipes/demo/hello.yaml"
    recipe.write_text(recipe.read_text().replace("team: tests", "team: others"))
    again = rearch.run("build", "--arch", "arm64")
    assert [name.split()[0] for name in again.started] == ["image", "audit", "image-smoke", "index"]
    assert build_json(rearch)["images"][0]["platforms"][0]["layers"] == layers


def test_two_clones_give_the_same_index(tmp_path: Path) -> None:
    first = image_demo(tmp_path / "one")
    other = tmp_path / "quite another" / "place"
    shutil.copytree(first.project, other)
    for path in other.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)
    second = Cli(other, warm_cache(tmp_path / "other cache"), env={"TZ": "Asia/Tokyo"})
    first.run(*BOTH, "--jobs", "2")
    old = os.umask(0o077)
    try:
        second.run("build", "--arch", "amd64,arm64", "--jobs", "1")
    finally:
        os.umask(old)
    assert digest_of(first) == digest_of(second)
    blobs = [{path.name for path in (layout_of(each, "hello") / "blobs/sha256").iterdir()} for each in (first, second)]
    assert blobs[0] == blobs[1]


def test_one_binary_in_two_images_is_one_blob(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    add_image(rearch.project, "one")
    files = "image:\n  repository: both\n  files:\n    - {{binary: one, component: one, to: /usr/bin/one}}\n"
    add_image(rearch.project, "two", files + "    - {{binary: two, to: /usr/bin/two}}\n")
    rearch.run("build", "--arch", "arm64", "--only", "two")
    assert not layout_of(rearch, "one").exists(), "it was not asked for"
    rearch.run("build", "--arch", "arm64")
    layers = {entry["repository"]: entry["platforms"][0]["layers"] for entry in build_json(rearch)["images"]}
    shared = [layer for layer in layers["both"] if layer in layers["one"]]
    assert len(shared) == 1
    assert len(layers["both"]) == 2


def test_files_of_the_stack_and_of_the_source(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    conf = rearch.project / "recipes/demo/files/conf"
    conf.mkdir(parents=True)
    (conf / "a.cfg").write_text("a\n")
    image = (
        "image:\n  repository: hello\n  files:\n"
        "    - {{file: conf, to: /etc/conf}}\n"
        "    - {{source: main.go, to: /usr/src/, mode: '0600', owner: '7:8'}}\n"
    )
    add_image(rearch.project, "hello", image)
    rearch.run("build", "--arch", "arm64")
    umoci = need_program("umoci", "umoci")
    run(
        umoci,
        "raw",
        "unpack",
        "--rootless",
        "--image",
        f"{layout_of(rearch, 'hello')}:v1.0.0-linux-arm64",
        tmp_path / "tree",
    )
    assert (tmp_path / "tree/etc/conf/a.cfg").read_text() == "a\n"
    assert "good day" in (tmp_path / "tree/usr/src/main.go").read_text(), "the patched source"
    (conf / "a.cfg").write_text("b\n")
    again = rearch.run("build", "--arch", "arm64")
    assert "image demo/hello linux/arm64" in again.started


def test_a_foreign_file_stops_the_image_and_nothing_is_named(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    files = rearch.project / "recipes/demo/files"
    files.mkdir()
    shutil.copy("/bin/true", files / "planted")
    image = "image:\n  repository: hello\n  files:\n    - {{file: planted, to: /usr/bin/planted}}\n"
    add_image(rearch.project, "hello", image)
    done = rearch.run("build", "--arch", "arm64", code=ExitCode.VERIFICATION)
    assert "/usr/bin/planted" in done.err
    assert not layout_of(rearch, "hello").exists()
    recipe = rearch.project / "recipes/demo/hello.yaml"
    allowed = "  audit: [{path: /usr/bin/planted, reason: it is not started}]\n"
    recipe.write_text(recipe.read_text() + allowed)
    rearch.run("build", "--arch", "arm64")
    assert layout_of(rearch, "hello").exists()


def test_a_failed_start_leaves_no_index(tmp_path: Path) -> None:
    rearch = image_demo(tmp_path)
    recipe = rearch.project / "recipes/demo/hello.yaml"
    text = recipe.read_text()
    head, image = text.split("image:\n")
    recipe.write_text(head + "image:\n" + image.replace("good day", "good night"))
    done = rearch.run("build", "--arch", "arm64", code=ExitCode.FAILED)
    assert "image-smoke demo/hello linux/arm64" in done.err
    assert not layout_of(rearch, "hello").exists()


def test_a_layer_that_was_changed_in_place_is_made_again(tmp_path: Path) -> None:
    rearch = image_demo(tmp_path)
    rearch.run("build", "--arch", "arm64")
    layer = build_json(rearch)["images"][0]["platforms"][0]["layers"][0]["digest"]
    blob = layout_of(rearch, "hello") / "blobs/sha256" / layer.removeprefix("sha256:")
    data = blob.read_bytes()
    blob.write_bytes(b"x" + data[1:])
    again = rearch.run("build", "--arch", "arm64")
    assert "changed in place" in again.err
    assert Digest.of(blob.read_bytes()).hex == blob.name


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("image:\n  repository: Hello\n", "image.repository"),
        ("image:\n  repository: hello\n  files: [{{binary: helo, to: /x}}]\n", "did you mean hello"),
        ("image:\n  repository: hello\n  files: [{{file: nothing, to: /x}}]\n", "there is no file"),
        ("image:\n  repository: hello\n  template: scratch-binry\n", "scratch-binary"),
    ],
)
def test_wrong_recipes_are_told_before_anything_runs(tmp_path: Path, image: str, wanted: str) -> None:
    rearch = demo(tmp_path)
    add_image(rearch.project, "hello", image)
    done = rearch.run("build", "--arch", "arm64", code=ExitCode.USAGE)
    assert wanted in done.err
    assert done.started == ()


def test_an_index_that_loses_a_platform_is_told(tmp_path: Path) -> None:
    rearch = image_demo(tmp_path)
    rearch.run(*BOTH)
    done = rearch.run("build", "--arch", "arm64")
    assert "hello:v1.0.0 in output/ had linux/amd64 too, which this build was not asked for" in done.err
    assert "linux/amd64" not in rearch.run("build", "--arch", "arm64").err


def test_errors_of_a_dockerfile_name_the_rendered_file_and_its_line(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    template = rearch.project / "templates/own.Dockerfile.j2"
    template.parent.mkdir(exist_ok=True)
    template.write_text("{% if true %}\nFROM {{ base }}\n{% endif %}\nCOPY nothing /x\n")
    add_image(rearch.project, "hello", "image:\n  repository: hello\n  template: own\n")
    done = rearch.run("build", "--arch", "arm64", code=ExitCode.USAGE)
    where = "output/dockerfiles/linux/arm64/hello.Dockerfile"
    lines = (rearch.project / where).read_text().splitlines()
    assert f"{where}:{lines.index('COPY nothing /x') + 1}: " in done.err


def test_an_audit_knows_what_the_recipe_allows_however_the_image_is_named(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    files = rearch.project / "recipes/demo/files"
    files.mkdir()
    shutil.copy("/bin/true", files / "planted")
    image = "image:\n  repository: team/hello\n  files:\n    - {{file: planted, to: /usr/bin/planted}}\n"
    add_image(rearch.project, "hello", image + "  audit: [{{path: /usr/bin/planted, reason: it is not started}}]\n")
    rearch.run("build", "--arch", "arm64")
    for name in ("team/hello", "team/hello:v1.0.0", "output/images/team/hello"):
        assert "1 allowed by the recipe" in rearch.run("audit", name).out
    shutil.copytree(layout_of(rearch, "team/hello"), tmp_path / "elsewhere")
    assert "/usr/bin/planted" in rearch.run("audit", tmp_path / "elsewhere", code=ExitCode.VERIFICATION).out
