"""Names of images in a Dockerfile, and nothing else, are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.host.building.names import Planned, planned, with_names
from rearch.host.building.take import StageImage
from rearch.model.platform import parse_platform
from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.layout import read_image
from rearch.oci.order import ImageOrder
from tests.support.layouts import make_image

ARM64 = parse_platform("arm64")


@pytest.fixture
def stages(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("base", "tools")}
    for layout in found.values():
        make_image(layout, ARM64, [[]], env=("SET=1",))
    return found


def plan(stages: dict[str, Path], dockerfile: str, **args: str) -> Planned:
    here = Path("/nowhere")
    order = ImageOrder(
        dockerfile=dockerfile,
        template="t",
        context=here,
        platform=ARM64,
        stages=stages,
        args=args,
        epoch=0,
        compression="gzip",
        media_types="oci",
        layout=here,
        layers=here,
        scratch=here,
        say=print,
    )
    images = tuple(StageImage(name=name, layout=path, image=read_image(path)) for name, path in stages.items())
    return planned(order, images)


NAMES = {"base": "rearch-stage:1-0", "tools": "rearch-stage:1-1"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM base\n", "FROM rearch-stage:1-0\n"),
        ("from  base  as base2\nFROM base2\n", "from  rearch-stage:1-0  as base2\nFROM base2\n"),
        ("FROM scratch\nCOPY --from=tools base /base\n", "FROM scratch\nCOPY --from=rearch-stage:1-1 base /base\n"),
        ("FROM base AS tools\nFROM tools\n", "FROM rearch-stage:1-0 AS tools\nFROM tools\n"),
        (
            "FROM base AS tools\nFROM scratch\nCOPY --from=tools a /\n",
            "FROM rearch-stage:1-0 AS tools\nFROM scratch\nCOPY --from=tools a /\n",
        ),
        ("FROM base AS x\nCOPY base tools\n", "FROM rearch-stage:1-0 AS x\nCOPY base tools\n"),
        ("FROM --platform=linux/arm64 base\n", "FROM --platform=linux/arm64 rearch-stage:1-0\n"),
        ("FROM \\\n  # why\n  base \\\n  AS x\n", "FROM \\\n  # why\n  rearch-stage:1-0 \\\n  AS x\n"),
        (
            'ARG B=base\nFROM ${B}\nLABEL base="FROM base"\n',
            'ARG B=base\nFROM rearch-stage:1-0\nLABEL base="FROM base"\n',
        ),
        (
            "FROM base\nRUN --mount=type=bind,from=tools,target=/t --mount=from=base,target=/b \\\n  make from=tools\n",
            "FROM rearch-stage:1-0\nRUN --mount=type=bind,from=rearch-stage:1-1,target=/t "
            "--mount=from=rearch-stage:1-0,target=/b \\\n  make from=tools\n",
        ),
        ("FROM tools AS unused\nFROM base\n", "FROM rearch-stage:1-1 AS unused\nFROM rearch-stage:1-0\n"),
    ],
)
def test_names_are_put_in(stages: dict[str, Path], before: str, after: str) -> None:
    assert with_names(plan(stages, before), NAMES) == after


def test_the_images_that_are_used(stages: dict[str, Path]) -> None:
    def used(dockerfile: str) -> list[str]:
        return [image.name for image in plan(stages, dockerfile).used]

    assert used("FROM scratch\nCOPY a b\n") == []
    assert used("FROM base\n") == ["base"]
    assert used("FROM scratch\nCOPY --from=tools a b\n") == ["tools"]
    assert used("FROM base\nRUN --mount=type=bind,from=tools,target=/t x\n") == ["base", "tools"]


def test_a_build_argument_can_name_the_image(stages: dict[str, Path]) -> None:
    found = plan(stages, "ARG B\nFROM $B\n", B="tools")
    assert with_names(found, NAMES) == "ARG B\nFROM rearch-stage:1-1\n"


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [("FROM debian\n", 1), ("FROM base\nCOPY --from=toolz a /\n", 2), ("FROM base\nENV A=$UNSET B=$SET\n", 2)],
)
def test_what_is_nowhere_is_refused_with_its_line(stages: dict[str, Path], dockerfile: str, line: int) -> None:
    with pytest.raises(BadDockerfile, match=f"t:{line}: "):
        plan(stages, dockerfile)
