"""Recipes over defaults under overrides; and every problem at the place where the wrong value stands."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from rearch.model.platform import Platform, parse_platform
from rearch.model.recipe import GitSource
from tests.support.yaml_projects import RECIPE, STACK, load, problems, said

ARM64, ARMV7 = parse_platform("arm64"), parse_platform("arm/v7")


def test_a_project(tmp_path: Path) -> None:
    project = load(tmp_path, {})
    (stack,) = project.stacks
    (component,) = stack.components
    assert (stack.name, stack.summary, stack.platforms) == ("s", "a stack", (ARM64, ARMV7))
    assert (component.id, component.folder, component.patches) == ("s/a", PurePosixPath("recipes/s"), ())
    assert component.recipe.source == GitSource(git="https://example.org/a", ref="v1.2.3")
    assert component.recipe.build.go.binaries == {"a": "."}
    assert list(project.toolchains) == ["go-1"]
    assert set(component.recipes) == {ARM64, ARMV7}
    assert component.recipes[ARM64] is component.recipes[ARMV7]


def test_texts_stay_texts(tmp_path: Path) -> None:
    recipe = RECIPE.replace("v1.2.3", "1.10").replace("{a: .}", "{a: ., '386': ./x}\n    tags: [no, 386, 1.10, 'null']")
    (stack,) = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks
    found = stack.components[0].recipe
    assert found.version == "1.10"
    assert found.source == GitSource(git="https://example.org/a", ref="1.10")
    assert found.build.go.tags == ("no", "386", "1.10", "null")
    assert found.build.go.binaries == {"a": ".", "386": "./x"}


def test_values_are_frozen(tmp_path: Path) -> None:
    recipe = load(tmp_path, {}).stacks[0].components[0].recipe
    with pytest.raises(TypeError):
        recipe.build.go.binaries["b"] = "."  # type: ignore[index]
    assert hash(recipe.build.go.binaries) == hash(recipe.build.go.binaries)


DEFAULTS = """\
    defaults:
      build:
        toolchain: go-1
        go:
          layout: gopath
          tags: [one, two]
          stamps: {main.A: "${{ commit }}", main.B: b}
          strip: false
      verify: {link: any}
"""


def test_defaults_are_merged_map_by_map(tmp_path: Path) -> None:
    recipe = """\
    name: a
    summary: a component
    version: v1
    source: {path: src}
    build: {go: {binaries: {a: .}, tags: [three], stamps: {main.B: c}}}
    verify: {glibc: 2.28}
    """
    stack = STACK + "\n".join(line[4:] for line in DEFAULTS.splitlines())
    (tmp_path / "recipes/s/src").mkdir(parents=True)
    found = load(tmp_path, {"recipes/s/stack.yaml": stack, "recipes/s/a.yaml": recipe}).stacks[0].components[0].recipe
    assert found.build.toolchain == "go-1"
    assert found.build.go.layout == "gopath"
    assert found.build.go.tags == ("three",)
    assert found.build.go.stamps == {"main.A": "${{ commit }}", "main.B": "c"}
    assert found.build.go.strip is False
    assert (found.verify.link, found.verify.glibc) == ("any", "2.28")


def test_platforms_override_single_fields(tmp_path: Path) -> None:
    recipe = RECIPE + (
        "platforms:\n"
        "  armhf: {build: {go: {tags: [small], stamps: {main.P: '${{ version }} ${{ arch }}'}}}, smoke: []}\n"
        "  s390x: {verify: {link: any}}\n"
    )
    component = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0]
    plain, other = component.recipes[ARM64], component.recipes[ARMV7]
    assert set(component.recipes) == {ARM64, ARMV7}
    assert plain.build.go.tags == ()
    assert other.build.go.tags == ("small",)
    assert other.build.go.stamps == {"main.P": "v1.2.3 ${{ arch }}"}
    assert other.build.go.binaries == plain.build.go.binaries
    assert plain.platforms == other.platforms == {}


def test_only_the_platform_with_an_override_has_its_own_recipe(tmp_path: Path) -> None:
    recipe = RECIPE + "platforms: {arm/v7: {verify: {link: any}}}\n"
    asked = tuple(map(parse_platform, ("amd64", "arm64", "arm/v7")))
    recipes = load(tmp_path, {"recipes/s/a.yaml": recipe}, platforms=asked).stacks[0].components[0].recipes
    assert recipes[asked[0]] is recipes[asked[1]]
    assert recipes[asked[2]] is not recipes[asked[0]]


def test_overrides_of_defaults_and_recipe_meet_under_one_spelling(tmp_path: Path) -> None:
    stack = STACK + "defaults: {platforms: {arm: {build: {go: {tags: [low], layout: module}}}}}\n"
    recipe = RECIPE + "platforms: {linux/arm/v7: {build: {go: {tags: [high]}}}}\n"
    go = (
        load(tmp_path, {"recipes/s/stack.yaml": stack, "recipes/s/a.yaml": recipe})
        .stacks[0]
        .components[0]
        .recipes[ARMV7]
        .build.go
    )
    assert (go.tags, go.layout) == (("high",), "module")


def test_an_override_can_take_an_optional_mapping_away(tmp_path: Path) -> None:
    recipe = RECIPE + "    cgo: {toolchain: zig}\nplatforms: {arm/v7: {build: {go: {cgo: ~}}}}\n"
    zig = "name: zig\nkind: zig\nsystem: '*'\n"
    recipes = load(tmp_path, {"recipes/s/a.yaml": recipe, "toolchains/zig.yaml": zig}).stacks[0].components[0].recipes
    assert recipes[ARM64].build.go.cgo is not None
    assert recipes[ARMV7].build.go.cgo is None


def test_expressions_in_keys_and_variables(tmp_path: Path) -> None:
    recipe = RECIPE.replace("{a: .}", '{"${{ name }}": ., "${{ name }}-${{ vars.b }}": ./b}')
    recipe += 'vars: {a: "${{ version[1:] }}", b: "x${{ vars.a }}"}\n'
    found = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0].recipe
    assert found.build.go.binaries == {"a": ".", "a-x1.2.3": "./b"}
    assert found.vars == {"a": "1.2.3", "b": "x1.2.3"}


def test_a_debian_source_without_version_knows_it_later(tmp_path: Path) -> None:
    recipe = """\
    name: a
    summary: a component
    source: {debian: golang-a}
    build: {toolchain: go-1, go: {binaries: {a: .}, stamps: {main.V: "v${{version}}"}}}
    """
    found = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0].recipe
    assert found.version is None
    assert found.build.go.stamps == {"main.V": "v${{ version }}"}


def test_a_local_source_is_relative_to_the_stack(tmp_path: Path) -> None:
    (tmp_path / "recipes/s/code/a").mkdir(parents=True)
    recipe = RECIPE.replace('{git: https://example.org/a, ref: "${{ version }}"}', "{path: code/${{ name }}}")
    recipe = recipe.replace("{path: code/${{ name }}}", '{path: "code/${{ name }}"}')
    assert load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0].name == "a"


# Each: what is appended to (or replaced in) the good recipe, and the first line of each problem.
WRONG = {
    "unknown key": (RECIPE + "colour: red\n", ["9:1: unknown key colour; known: build, edits"]),
    "unknown key, near": (RECIPE + "edit: []\n", ["9:1: unknown key edit; did you mean edits?"]),
    "unknown key, deep": (
        RECIPE + "    binariez: {}\n",
        ["9:5: unknown key build.go.binariez; did you mean binaries?"],
    ),
    "key at the wrong place": (
        RECIPE + "  ldflags: []\n",
        ["9:3: unknown key build.ldflags; it belongs under build.go"],
    ),
    "unknown key in a source": (
        RECIPE.replace("ref:", "reff:"),
        ["4:1: source.ref is missing", "4:38: unknown key source.reff; did you mean ref?"],
    ),
    "missing": (RECIPE.replace("    binaries: {a: .}\n", "    tags: []\n"), ["7:3: build.go.binaries is missing"]),
    "missing at the top": (RECIPE.replace("summary: a component\n", ""), ["1:1: summary is missing"]),
    "missing in a list": (
        RECIPE + "edits:\n  - file: x\n    pattern: y\n    replace: z\n",
        ["10:5: edits[0].why is missing"],
    ),
    "a text for a list": (
        RECIPE + "    tags: netgo\n",
        ["9:11: build.go.tags: a list is wanted, not the text netgo; write [netgo]"],
    ),
    "a list for a text": (RECIPE.replace("v1.2.3", "[1, 2]"), ["3:1: version: a text is wanted, not a list"]),
    "a list for a mapping": (
        RECIPE.replace("{a: .}", "[a]"),
        ["8:5: build.go.binaries: a mapping is wanted, not a list"],
    ),
    "a mapping for a text": (RECIPE + "fixes: [{a: b}]\n", ["9:9: fixes[0]: a text is wanted, not a mapping"]),
    "no value": (RECIPE + "fixes:\n", ["9:1: fixes: no value; write [] for an empty list"]),
    "no value in a map": (RECIPE + "    env: {A: }\n", ["9:11: build.go.env.A: no value"]),
    "a word that is none of": (
        RECIPE + "    layout: gopth\n",
        ["9:13: build.go.layout: gopth is none of gopath, module; did you mean gopath?"],
    ),
    "not a number": (RECIPE + "patch: {fuzz: two}\n", ["9:15: patch.fuzz: two: not a whole number"]),
    "too much": (RECIPE + "patch: {fuzz: 9}\n", ["9:15: patch.fuzz: 9 is too much: at most 3"]),
    "not a flag": (RECIPE + "    strip: yes\n", ["9:12: build.go.strip: yes: neither true nor false"]),
    "not a time": (
        RECIPE + "smoke: [{run: [a], timeout: soon}]\n",
        ["9:29: smoke[0].timeout: soon: not a time; write it as 30s, 5m or 14d"],
    ),
    "a time of nothing": (
        RECIPE + "smoke: [{run: [a], timeout: 0}]\n",
        ["9:29: smoke[0].timeout: 0 is too little: it must be over 0"],
    ),
    "nothing to run": (RECIPE + "smoke: [{run: []}]\n", ["9:15: smoke[0].run: at least 1 wanted, 0 given"]),
    "no binaries": (
        RECIPE.replace("{a: .}", "{}"),
        ["8:15: build.go.binaries: no binaries are built and no image is made"],
    ),
    "a binary that is a path": (
        RECIPE.replace("{a: .}", "{a: ., ../b: .}"),
        ['8:22: build.go.binaries."../b": a file name has letters'],
    ),
    "a package that is an option": (
        RECIPE.replace("{a: .}", "{a: -toolexec=x}"),
        ["8:19: build.go.binaries.a: -toolexec=x: a Go package is wanted"],
    ),
    "a path that leads out": (
        RECIPE + "edits: [{file: ../x, pattern: a, replace: b, why: c}]\n",
        ["9:16: edits[0].file: ../x: a relative path without '..' is wanted"],
    ),
    "not a regular expression": (
        RECIPE + "edits: [{file: x, pattern: '((', replace: b, why: c}]\n",
        ["9:28: edits[0].pattern: ((: no regular expression: missing )"],
    ),
    "a hash that is none": (
        RECIPE.replace('{git: https://example.org/a, ref: "${{ version }}"}', "{archive: https://x/y, sha256: abc}"),
        ["4:40: source.sha256: abc: a sha256 has 64 hexadecimal digits"],
    ),
    "no kind of source": (
        RECIPE.replace('{git: https://example.org/a, ref: "${{ version }}"}', "{url: x}"),
        ["4:1: source: a source has one of the keys git, archive, debian, path"],
    ),
    "smoke of an unknown binary": (
        RECIPE + "smoke: [{run: [a]}, {run: [b]}]\n",
        ["9:28: smoke[1].run[0]: smoke runs b, which is none of a"],
    ),
    "smoke that waits for nothing": (
        RECIPE + "smoke: [{run: [a], stop: true}]\n",
        ["9:26: smoke[0].stop: stop waits for the text of `expect`, which is missing"],
    ),
    "links that lead nowhere": (
        RECIPE + "    links: {b: c, a: a}\n",
        ["9:16: build.go.links.b: c is none of the binaries: a", "9:22: build.go.links.a: a is a binary already"],
    ),
    "a platform that there is not": (
        RECIPE + "platforms: {z80: {}}\n",
        ["9:13: platforms.z80: unknown platform 'z80'; use one of linux/amd64"],
    ),
    "a platform twice": (
        RECIPE + "platforms:\n  arm64: {}\n  aarch64: {}\n",
        ["11:3: platforms.aarch64: linux/arm64 stands here twice, first as arm64"],
    ),
    "an override of what is shared": (
        RECIPE + "platforms:\n  arm64: {edits: [], version: 1}\n",
        [
            "10:11: platforms.arm64.edits cannot differ by platform; only build, verify, smoke, image can",
            "10:22: platforms.ar",
        ],
    ),
    "an override that is wrong": (
        RECIPE + "platforms:\n  s390x: {build: {go: {layout: x}}}\n",
        ["10:32: platforms.s390x.build.go.layout: x is none of gopath, module"],
    ),
    "an override that lacks a key": (
        RECIPE + "platforms:\n  arm64: {build: {go: {cgo: {link: static}}}}\n",
        ["10:24: platforms.arm64.build.go.cgo.toolchain is missing"],
    ),
    "an override that is no mapping": (
        RECIPE + "platforms:\n  arm64: [x]\n",
        ["10:3: platforms.arm64: keys are wanted (build, verify, smoke, image)"],
    ),
    "overrides that are no mapping": (RECIPE + "platforms: [x]\n", ["9:1: platforms: a mapping is wanted"]),
    "another name": (RECIPE.replace("name: a", "name: b"), ["1:7: name is b, but the file is called a.yaml"]),
    "an unknown name": (
        RECIPE.replace("${{ version }}", "x-${{ versoin }}"),
        ["4:50: versoin is not defined; did you mean version?"],
    ),
    "a name that is known too late": (
        RECIPE.replace("${{ version }}", "${{ commit }}"),
        ["4:48: commit is known only later; it can stand under build, verify, smoke and image"],
    ),
    "a variable that comes later": (
        RECIPE + 'vars: {a: "${{ vars.b }}", b: x}\n',
        ["9:16: vars.b is not defined; write it under `vars` first"],
    ),
    "an expression over several lines": (
        RECIPE + "    ldflags:\n      - |\n        one\n        two ${{ naem }}\n",
        ["12:17: naem is not defined; did you mean name?"],
    ),
    "an expression written with escapes": (
        RECIPE + '    tags: ["\\u0024{{ naem }}"]\n',
        ["9:12: naem is not defined; did you mean name?"],
    ),
    "an expression in a key": (
        RECIPE.replace("{a: .}", '{a: ., "${{ commit }}": .}'),
        ["8:27: commit is known only later"],
    ),
    "keys that become one": (
        RECIPE.replace("{a: .}", '{a: ., "${{ name }}": .}'),
        ["8:23: the key 'a' stands here twice"],
    ),
    "an expression in the name": (
        RECIPE.replace("name: a", 'name: "${{ stack }}"'),
        ["1:8: an expression cannot stand here"],
    ),
    "a version that is nowhere": (
        RECIPE.replace("version: v1.2.3\n", ""),
        ["1:1: version is missing (only a debian source may leave it out)"],
    ),
    "no such toolchain": (
        RECIPE.replace("go-1", "go-2"),
        ["6:14: build.toolchain: there is no toolchain toolchains/go-2.yaml; did you mean go-1?"],
    ),
    "a toolchain of the wrong kind": (
        RECIPE + "    cgo: {toolchain: go-1}\n",
        ["9:22: build.go.cgo.toolchain: go-1 is a toolchain of kind go; kind zig or gcc is wanted"],
    ),
    "a range that is none": (
        RECIPE + "    requires: newest\n",
        ["9:15: build.go.requires: newest: not a range of versions; write it as `>=1.9, <1.25`"],
    ),
    "a local source that is not there": (
        RECIPE.replace('{git: https://example.org/a, ref: "${{ version }}"}', "{path: cod}"),
        ["4:16: source.path: cod: there is no folder recipes/s/cod; did you mean code?"],
    ),
    "an empty text": (RECIPE.replace("a component", '"  "'), ['2:10: summary: "  ": it cannot be empty']),
    "variables that rearch sets": (
        RECIPE + "    env: {CGO_CFLAGS: -O1, GOFLAGS: -a, ZIG_LIB_DIR: x}\n",
        [
            "9:28: build.go.env.GOFLAGS: rearch sets it itself; use build.go.tags and build.go.ldflags",
            "9:41: build.go.env.ZIG_LIB_DIR: rearch sets it itself; take it out",
        ],
    ),
    "linker flags that write elsewhere": (
        RECIPE.replace("{a: .}", "{}") + '    ldflags: [-s, "-X a.B=${{ commit }} -o x", --cpuprofile=x]\n',
        [
            "8:15: build.go.binaries: no binaries are built and no image is made",
            "9:19: build.go.ldflags[1]: -o cannot be used",
            "9:48: build.go.ldflags[2]: -cpuprofile cannot be used",
        ],
    ),
    "a group that the pattern has not": (
        RECIPE + "edits:\n  - {file: a, why: b, pattern: '(x)', replace: '\\1\\2'}\n",
        [r"10:48: edits[0].replace: invalid group reference 2 at position 3; the pattern has \1, and"],
    ),
    "a URL that cannot be fetched": (
        RECIPE.replace(
            '{git: https://example.org/a, ref: "${{ version }}"}',
            f"{{archive: 'ftp://example.org/${{{{ version }}}}.zip', sha256: {'0' * 64}}}",
        ),
        ["4:19: source.archive: ftp://example.org/v1.2.3.zip: the URL of a file to download begins with https://"],
    ),
    "a key twice among other problems": (
        RECIPE.replace("summary: a component\n", "").replace("{a: .}", "{a: .}\n    tagz: []") + "version: 2\n",
        ["1:1: summary is missing", "8:5: unknown key build.go.tagz", "9:1: the key 'version' stands here twice"],
    ),
    "no mapping at all": ("- a\n", ["1:1: keys with values are wanted"]),
    "an empty file": ("# nothing\n", ["1:1: the file is empty"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_recipes(case: str, tmp_path: Path) -> None:
    text, wanted = WRONG[case]
    (tmp_path / "recipes/s/code").mkdir(parents=True)
    found = said(problems(tmp_path, {"recipes/s/a.yaml": text}))
    assert len(found) == len(wanted), found
    for line, beginning in zip(found, wanted, strict=True):
        assert line.startswith(f"recipes/s/a.yaml:{beginning}")


def test_a_wrong_value_of_the_defaults_is_told_there_and_once(tmp_path: Path) -> None:
    stack = STACK + "defaults:\n  build:\n    go: {layout: x, tagz: []}\n"
    other = RECIPE.replace("name: a", "name: b").replace("{a: .}", "{b: .}")
    found = said(problems(tmp_path, {"recipes/s/stack.yaml": stack, "recipes/s/b.yaml": other}))
    assert found == [
        "recipes/s/stack.yaml:6:18: defaults.build.go.layout: x is none of gopath, module",
        "recipes/s/stack.yaml:6:21: unknown key defaults.build.go.tagz; did you mean tags?",
    ]


def test_a_wrong_expression_of_the_defaults_is_told_there(tmp_path: Path) -> None:
    stack = STACK + 'defaults:\n  vars: {a: "${{ nome }}"}\n'
    assert said(problems(tmp_path, {"recipes/s/stack.yaml": stack})) == [
        "recipes/s/stack.yaml:5:18: nome is not defined; did you mean name?"
    ]


def test_a_value_of_the_recipe_hides_the_one_of_the_defaults(tmp_path: Path) -> None:
    stack = STACK + "defaults: {build: {go: {layout: x, tags: y}}}\n"
    recipe = RECIPE + "    layout: module\n    tags: []\n"
    assert load(tmp_path, {"recipes/s/stack.yaml": stack, "recipes/s/a.yaml": recipe}).stacks


def test_a_missing_key_is_told_at_the_recipe_when_defaults_hold_the_mapping(tmp_path: Path) -> None:
    stack = STACK + "defaults: {build: {go: {cgo: {link: dynamic}}}}\n"
    assert said(problems(tmp_path, {"recipes/s/stack.yaml": stack})) == [
        "recipes/s/a.yaml:7:3: build.go.cgo.toolchain is missing"
    ]


def test_an_override_does_not_repeat_what_is_wrong_everywhere(tmp_path: Path) -> None:
    recipe = RECIPE + "    layout: x\nplatforms: {arm64: {verify: {link: any}}, arm/v7: {verify: {link: any}}}\n"
    assert said(problems(tmp_path, {"recipes/s/a.yaml": recipe})) == [
        "recipes/s/a.yaml:9:13: build.go.layout: x is none of gopath, module"
    ]


def test_all_problems_of_all_files_in_one_run(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "rearch.yaml": "jobs: many\n",
            "recipes/s/stack.yaml": STACK + "colour: red\n",
            "recipes/s/a.yaml": RECIPE + "patch: {fuzz: x}\nsmoke: [{run: [zz]}]\nedits: [{}]\n",
            "recipes/s/b.yaml": RECIPE.replace("name: a", "name: b") + "version: 2\nfixez: []\n",
            "recipes/s/c.yaml": RECIPE.replace("name: a", "name: c").replace("go-1", "go-9"),
            "recipes/s/patches/a/series": "nothing.patch\n",
            "recipes/t/stack.yaml": "name: u\n",
            "toolchains/go-1.yaml": "name: go-1\nkind: rust\n",
        },
    )
    assert [(problem.file, problem.line, problem.column) for problem in found] == [
        ("rearch.yaml", 1, 7),
        ("recipes/s/a.yaml", 9, 15),
        ("recipes/s/a.yaml", 10, 16),
        *[("recipes/s/a.yaml", 11, 9)] * 4,
        ("recipes/s/b.yaml", 9, 1),
        ("recipes/s/b.yaml", 10, 1),
        ("recipes/s/c.yaml", 6, 14),
        ("recipes/s/patches/a/series", 1, 1),
        ("recipes/s/stack.yaml", 4, 1),
        *[("recipes/t/stack.yaml", 1, 1)] * 2,
        ("recipes/t/stack.yaml", 1, 7),
        ("toolchains/go-1.yaml", 2, 7),
    ]


def test_the_line_is_shown_with_a_mark(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"recipes/s/a.yaml": RECIPE + "    layout: gopth\n"})
    assert problem.render().splitlines()[1:] == ["        layout: gopth", "                ^^^^^"]
    assert problem.source == "    layout: gopth"


def test_platform_values_are_normalised(tmp_path: Path) -> None:
    recipe = RECIPE + "smoke: [{run: [a], platforms: [aarch64, armhf]}]\n"
    found = load(tmp_path, {"recipes/s/a.yaml": recipe}, platforms=(Platform("linux", "386"),)).stacks[0]
    assert found.platforms == (Platform("linux", "386"),)
    assert found.components[0].recipe.smoke[0].platforms == ("linux/arm64", "linux/arm/v7")


def test_a_contradiction_with_a_wrong_value_is_not_told(tmp_path: Path) -> None:
    recipe = RECIPE.replace("{a: .}", "{a: -x}") + "    links: {b: a}\nsmoke: [{run: [a], stop: true, expect: '(('}]\n"
    assert [line.split(": ")[1] for line in said(problems(tmp_path, {"recipes/s/a.yaml": recipe}))] == [
        "build.go.binaries.a",
        "smoke[0].expect",
    ]
