"""The `image:` part of recipes: what it says of platforms and expressions, and the place of what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.model.image import DebianBase, RegistryBase
from rearch.model.platform import parse_platform
from tests.support.yaml_projects import RECIPE, load, problems, said

ARM64, ARMV7 = parse_platform("arm64"), parse_platform("arm/v7")

IMAGE = RECIPE + (
    "image:\n"
    "  repository: a\n"
    "  base: {debian: bookworm, packages: [haproxy], accounts: {users: {ha: {uid: 101}}}}\n"
    "  files:\n"
    "    - {binary: a, to: /usr/bin/}\n"
    "  env: {A: '1', B: '2'}\n"
)
FIRST = RECIPE.count("\n") + 1  # the line of `image:`


def loaded(root: Path, recipe: str) -> dict[str, object]:
    component = load(root, {"recipes/s/a.yaml": recipe}).stacks[0].components[0]
    return {str(platform): one.image for platform, one in component.recipes.items()}


def found(root: Path, recipe: str) -> list[str]:
    """What is wrong, with lines counted from `image:`, which is 0."""
    lines = []
    for line in said(problems(root, {"recipes/s/a.yaml": recipe})):
        file, number, rest = line.split(":", 2)
        assert file == "recipes/s/a.yaml"
        lines.append(f"{int(number) - FIRST}:{rest}")
    return lines


def test_an_image(tmp_path: Path) -> None:
    project = load(tmp_path, {"recipes/s/a.yaml": IMAGE})
    image = project.stacks[0].components[0].recipe.image
    assert image is not None
    assert isinstance(image.base, DebianBase)
    assert image.base.accounts.users["ha"].uid == "101"
    assert image.env == {"A": "1", "B": "2"}


def test_platforms_override_single_keys_of_an_image(tmp_path: Path) -> None:
    recipe = IMAGE + "platforms: {arm64: {image: {env: {A: arm, ETCD_UNSUPPORTED_ARCH: arm64}}}}\n"
    component = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0]
    other, plain = component.recipes[ARM64].image, component.recipes[ARMV7].image
    assert other is not None
    assert plain is not None
    assert other.env == {"A": "arm", "B": "2", "ETCD_UNSUPPORTED_ARCH": "arm64"}
    assert plain.env == {"A": "1", "B": "2"}
    assert other.files == plain.files


def test_a_platform_can_have_another_base_or_none(tmp_path: Path) -> None:
    recipe = RECIPE + "image: {repository: a, base: {registry: 'example.org/x:1'}}\n"
    recipe += "platforms: {arm64: {image: {base: ~}}, arm/v7: {image: {base: {registry: 'example.org/y:1'}}}}\n"
    component = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0]
    one, other = component.recipes[ARM64].image, component.recipes[ARMV7].image
    assert one is not None
    assert other is not None
    assert one.base is None
    assert other.base == RegistryBase(registry="example.org/y:1")


def test_an_override_can_take_the_image_away(tmp_path: Path) -> None:
    component = load(tmp_path, {"recipes/s/a.yaml": IMAGE + "platforms: {arm64: {image: ~}}\n"}).stacks[0].components[0]
    assert component.recipes[ARM64].image is None
    assert component.recipes[ARMV7].image is not None


def test_expressions_wait_where_they_can(tmp_path: Path) -> None:
    recipe = (
        IMAGE + "  labels: {v: '${{ version }}', c: '${{ commit }} on ${{ platform }}', n: '${{ name | upper }}'}\n"
    )
    image = load(tmp_path, {"recipes/s/a.yaml": recipe}).stacks[0].components[0].recipe.image
    assert image is not None
    assert image.labels == {"v": "v1.2.3", "c": "${{ commit }} on ${{ platform }}", "n": "A"}


WRONG = {
    "an unknown key": ("  entry_point: [x]\n", ["6:3: unknown key image.entry_point; did you mean entrypoint?"]),
    "a key at the wrong place": (
        "  accounts: {users: {}}\n",
        ["6:3: unknown key image.accounts; it belongs under image.base or image.stages"],
    ),
    "a missing repository": ("", ["0:1: image.repository is missing"]),
    "a base of no kind": ("  base: {distro: bookworm}\n", ["2:3: image.base: a base has one of the keys"]),
    "a wrong key of a base": (
        "  base: {debian: bookworm, package: [x]}\n",
        ["2:3: image.base.packages is missing", "2:28: unknown key image.base.package; did you mean packages?"],
    ),
    "a wrong uid": (
        "  base: {debian: bookworm, packages: [x1], accounts: {users: {ha: {uid: x}}}}\n",
        ["2:73: image.base.accounts.users.ha.uid: x: a number from 0 to 4294967294 is wanted"],
    ),
    "a wrong account": (
        "  base: {debian: bookworm, packages: [x1], accounts: {users: {Ha: {uid: 1}}}}\n",
        ["2:63: image.base.accounts.users.Ha: an account's name has"],
    ),
    "a wrong stage": (
        "  stages: {tools: {registri: x}}\n",
        ["6:12: image.stages.tools: a base has one of the keys registry, layout, archive, debian"],
    ),
    "a wrong key of a stage": (
        "  stages: {tools: {registry: x, ref: y}}\n",
        ["6:33: unknown key image.stages.tools.ref; it belongs under image.base or image.stages"],
    ),
    "a wrong mode": (
        "  files: [{binary: a, to: /x, mode: rwx}]\n",
        ["3:37: image.files[0].mode: rwx: a mode has three or four octal digits, as in 0755"],
    ),
    "two things in one": (
        "  files: [{binary: a, source: b, to: /x}]\n",
        ["3:11: image.files[0]: one of binary, source, file is wanted, not ['binary', 'source']"],
    ),
    "a builder": ("  builder: podman\n", ["6:12: image.builder: podman is none of embedded, docker, buildah"]),
    "a list that is a text": (
        "  entrypoint: /usr/bin/a\n",
        ["6:15: image.entrypoint: a list is wanted, not the text /usr/bin/a; write [/usr/bin/a]"],
    ),
    "an unknown name": ("  tag: ${{ vresion }}\n", ["6:12: vresion is not defined; did you mean version?"]),
    "zstd for Docker": (
        "  media_types: docker\n  compression: zstd\n",
        ["7:16: image.compression: Docker's media types know gzip alone"],
    ),
    "a stage that is taken": (
        "  stages: {base: {registry: x}}\n",
        ["6:12: image.stages.base: base is taken: it names image.base or nothing"],
    ),
    "another recipe's problem": (
        "  smoke: [{run: []}]\n",
        ["6:17: image.smoke[0].run: at least 1 wanted, 0 given"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_images(case: str, tmp_path: Path) -> None:
    text, wanted = WRONG[case]
    key = text.strip().partition(":")[0]
    kept = [line for line in IMAGE.splitlines(keepends=True) if not key or not line.startswith(f"  {key}:")]
    if not key:
        kept = [line for line in kept if not line.startswith("  repository:")]
    if key == "files":
        kept = [line for line in kept if not line.startswith("    - ")]
    if key in ("base", "files"):
        at = next(index for index, line in enumerate(kept) if line.startswith("  env")) if key == "files" else FIRST + 1
        kept.insert(at, text)
    else:
        kept.append(text)
    lines = found(tmp_path, "".join(kept))
    assert len(lines) == len(wanted), lines
    for line, beginning in zip(lines, wanted, strict=True):
        assert line.startswith(beginning), line


def test_problems_of_an_override_stand_there(tmp_path: Path) -> None:
    recipe = IMAGE + "platforms:\n  arm64:\n    image: {usr: root}\n"
    assert found(tmp_path, recipe) == ["8:13: unknown key platforms.arm64.image.usr; did you mean user?"]


def test_defaults_of_a_stack_can_say_what_all_images_share(tmp_path: Path) -> None:
    stack = "name: s\nsummary: x\nplatforms: [arm64]\ndefaults: {image: {media_types: docker, user: '1:1'}}\n"
    component = load(tmp_path, {"recipes/s/a.yaml": IMAGE, "recipes/s/stack.yaml": stack}).stacks[0].components[0]
    assert component.recipe.image is not None
    assert (component.recipe.image.media_types, component.recipe.image.user) == ("docker", "1:1")


def test_a_binary_of_a_recipe_that_compiles_nothing_is_refused(tmp_path: Path) -> None:
    script = RECIPE.replace("name: a\n", "name: b\n").replace("{a: .}", "{}") + "image: {repository: b}\n"
    taker = RECIPE + "image: {repository: a, files: [{binary: b, component: b, to: /}]}\n"
    (line,) = said(problems(tmp_path, {"recipes/s/a.yaml": taker, "recipes/s/b.yaml": script}))
    assert "image.files[0].binary: b is none of (no binaries: it is an image alone)" in line
