"""Nights of a fresh machine, with rearch.lock and YAML and nothing else: what is published is not built again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from rearch.oci.types import INDEXES
from tests.support.cli import Cli, Ran
from tests.support.go_project import change
from tests.support.nightly import ask, moving_project, tags_of
from tests.support.registry import Server, free_port, run_registry
from tests.support.warm_cache import warm_cache

NAMES = ("ash", "oak", "pine")


def recipe(rearch: Cli, name: str) -> Path:
    return rearch.project / f"recipes/demo/{name}.yaml"


def made(base: Path) -> Cli:
    """ash follows a branch; oak's images have Docker's types; pine's have the program of yew, which has none itself."""
    rearch = moving_project(base, NAMES[:1], (*NAMES[1:], "yew"))
    text = recipe(rearch, "yew").read_text()
    recipe(rearch, "yew").write_text(text[: text.index("image:")])
    change(recipe(rearch, "pine"), "  files:\n", "  files:\n    - {binary: yew, component: yew, to: /usr/bin/yew}\n")
    change(recipe(rearch, "oak"), "  repository: oak\n", "  repository: oak\n  media_types: docker\n")
    change(rearch.project / "recipes/demo/stack.yaml", "platforms: [linux/arm64]", "platforms: [arm64, amd64]")
    return rearch


def night(rearch: Cli, to: str, day: str, *words: str, code: int | None = 0) -> Ran:
    return rearch.run("nightly", "--to", to, "--date", day, "--progress", "plain", *words, code=code)


def record(rearch: Cli) -> Any:
    return json.loads((rearch.output / "nightly.json").read_bytes())


def fresh(rearch: Cli, cache: Path, *, compiler: bool = False) -> Cli:
    """The same project as a runner finds it."""
    shutil.rmtree(rearch.output, ignore_errors=True)
    return Cli(rearch.project, warm_cache(cache) if compiler else cache)


def writes(server: Server, since: int) -> list[str]:
    return [line for line in server.requests()[since:] if line.split()[0] not in ("GET", "HEAD")]


def built(ran: Ran) -> set[str]:
    return {step.split()[1].removeprefix("demo/") for step in ran.started if step.startswith(("fetch", "compile"))}


def _all_would_run(ran: Ran) -> bool:
    """Of a dry run on a machine that has nothing: what is in doubt is built."""
    found = re.search(r"(\d+) of (\d+) steps would run", ran.err)
    return found is not None and found[1] == found[2] != "0"


def test_a_fresh_machine_builds_what_is_not_published(tmp_path: Path) -> None:
    with run_registry(tmp_path / "registry") as server:
        to = f"{server.host}/team"
        rearch = made(tmp_path)
        night(rearch, to, "2024-05-01")
        before = {name: tags_of(server, f"team/{name}") for name in NAMES}
        assert all({*tags} == {"nightly", "nightly-2024-05-01"} for tags in before.values())

        # Nothing is there but YAML and rearch.lock: nothing is cloned, no compiler is fetched, nothing is sent.
        rearch, since = fresh(rearch, tmp_path / "empty"), len(server.requests())
        ran = night(rearch, to, "2024-05-02")
        assert (ran.started, ran.out, writes(server, since)) == ((), "", [])
        cached = {str(path.relative_to(tmp_path / "empty")) for path in (tmp_path / "empty").rglob("*")}
        assert {name for name in cached if not name.startswith("yaml")} == {"git", "git/gitconfig"}
        said = record(rearch)
        assert said["as_published"] == said["whole"] == [f"demo/{name}" for name in (*NAMES, "yew")]
        digests = {name: tags["nightly"] for name, tags in before.items()}
        assert {(tag["component"], tag["reference"], tag["change"]) for tag in said["tags"]} == {
            (f"demo/{name}", f"{to}/{name}:nightly@{digest}", "as published") for name, digest in digests.items()
        }
        assert "4 of 4 whole, 4 as published, 0 tags set; nothing failed" in ran.err
        page = (rearch.output / "report.html").read_text()
        assert all(digest in page for digest in digests.values())
        assert "as published" in page
        assert "0 of 0 steps would run" in night(rearch, to, "2024-05-02", "--dry-run").err
        for words in (
            ("--no-publish",),
            ("--require-smoke",),
            ("--arch", "arm64"),
            ("--to", f"127.0.0.1:{free_port()}"),
        ):
            assert _all_would_run(night(rearch, to, "2024-05-02", "--dry-run", *words)), words

        # One flag of one recipe: that one alone.
        change(recipe(rearch, "oak"), "    binaries:", "    tags: [other]\n    binaries:")
        rearch = fresh(rearch, tmp_path / "second", compiler=True)
        ran = night(rearch, to, "2024-05-03")
        assert built(ran) == {"oak"}, str(ran)
        assert ran.out.count("/oak:") == len(ran.out.splitlines()) == 2
        assert record(rearch)["as_published"] == ["demo/ash", "demo/pine", "demo/yew"]
        assert tags_of(server, "team/oak")["nightly"] != digests["oak"]
        assert "as published" in (rearch.output / "report.html").read_text()

        # A tag that somebody let name something else, each time: it is built, and named again.
        for name, kind in (("ash", INDEXES[0]), ("oak", INDEXES[1])):
            document = json.loads(ask(server, f"/v2/team/{name}/manifests/nightly")[1])
            document["manifests"] = document["manifests"][:1]
            server.put_manifest(f"team/{name}", "nightly", document, kind)
        good = tags_of(server, "team/oak")["nightly-2024-05-03"]
        rearch = fresh(rearch, tmp_path / "third", compiler=True)
        ran = night(rearch, to, "2024-05-04")
        assert built(ran) == {"ash", "oak"}, str(ran)
        assert record(rearch)["as_published"] == ["demo/pine", "demo/yew"]
        assert tags_of(server, "team/ash")["nightly"] == digests["ash"]
        assert tags_of(server, "team/oak")["nightly"] == good
