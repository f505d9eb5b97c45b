"""What COPY and ADD name is looked for in the context; what only an engine knows is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rearch.host.building.context import check_context
from rearch.host.building.names import planned
from rearch.host.building.take import StageImage
from rearch.model.platform import parse_platform
from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.order import ImageOrder
from tests.support.layouts import make_image

ARM64 = parse_platform("arm64")


def check(folder: Path, dockerfile: str, args: Mapping[str, str] | None = None, **run: Any) -> list[str]:
    """Files are `one`, `d/two.txt` and the ignored `left`. The problems, as `line: text`."""
    context = folder / "context"
    (context / "d").mkdir(parents=True, exist_ok=True)
    for name, data in {"one": "1", "d/two.txt": "2", "left": "x", ".dockerignore": "left\n"}.items():
        (context / name).write_text(data)
    image = make_image(folder / "base", ARM64, [[]], **run)
    order = ImageOrder(
        dockerfile=dockerfile,
        template="t",
        context=context,
        platform=ARM64,
        stages={"base": folder / "base"},
        args=args or {},
        epoch=0,
        compression="gzip",
        media_types="oci",
        layout=folder,
        layers=folder,
        scratch=folder,
        say=print,
    )
    plan = planned(order, (StageImage(name="base", layout=folder / "base", image=image),))
    try:
        check_context(plan, order)
    except BadDockerfile as error:
        return [f"{problem.line}: {problem.text}" for problem in error.problems]
    return []


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    dockerfile = "FROM base\nCOPY one onf /x/\nRUN make\nADD d/tow.txt left /y/\nCOPY ../one /z\n"
    assert check(tmp_path, dockerfile) == [
        "2: onf is not in the context; is 'one' meant?",
        "4: d/tow.txt is not in the context; is 'd/two.txt' meant?",
        "4: left is left out of the context by .dockerignore",
        "5: ../one is outside of the context",
    ]


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM base\nRUN make\n",
        "FROM base\nCOPY one d/two.txt /x/\nADD --chown=1 d /d\nCOPY . /all\n",
        "FROM base\nCOPY one none* /x/\n",
        "FROM base\nENV N=one\nCOPY $N ${N:-other} /x/\n",
        "FROM base\nCOPY --from=base /anything /x\n",
        "FROM base\nADD https://example.org/x.tar /x\nADD git@example.org:x.git /y\nADD github.com/a/b /z\n",
        "FROM base\nCOPY none* <<EOF /x/\ntext\nEOF\n",
        "FROM base\nCOPY --parents **/nothing /x/\n",
        "FROM base AS unused\nCOPY nothing /x\nFROM base\n",
    ],
)
def test_what_is_there_or_is_not_to_be_found_here(tmp_path: Path, dockerfile: str) -> None:
    assert check(tmp_path, dockerfile) == []


def test_wildcards_that_match_nothing_together(tmp_path: Path) -> None:
    assert check(tmp_path, "FROM base\nCOPY *.no d/*.no /x/\n") == ["2: nothing in the context matches *.no d/*.no"]
    assert check(tmp_path, "FROM base\nCOPY *.no d/*.txt /x/\n") == []


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM base\nARG BUILDARCH\nCOPY x-$BUILDARCH /x\n",
        "ARG N=x-$BUILDOS\nFROM base\nARG N\nCOPY ${N} /x\n",
        "FROM base\nARG BUILDPLATFORM\nARG A=${BUILDPLATFORM}\nENV B=x$A\nCOPY a/$B /x\n",
        "FROM base\nARG BUILDARCH\nCOPY n*-$BUILDARCH none* /x/\n",
    ],
)
def test_a_name_that_the_engine_alone_knows(tmp_path: Path, dockerfile: str) -> None:
    assert check(tmp_path, dockerfile) == []


def test_a_build_argument_makes_it_known(tmp_path: Path) -> None:
    dockerfile = "FROM base\nARG BUILDARCH\nARG N=$BUILDARCH\nCOPY $BUILDARCH $N /x/\n"
    found = check(tmp_path, dockerfile, {"BUILDARCH": "onne", "N": "oone"})
    assert found == [f"4: {name} is not in the context; is 'one' meant?" for name in ("onne", "oone")]
    assert check(tmp_path, dockerfile, {"N": "oone"}) == ["4: oone is not in the context; is 'one' meant?"]


def test_what_a_trigger_copies_stands_on_the_line_of_from(tmp_path: Path) -> None:
    triggers = ("ENV T=onee", "COPY $T /x")
    found = check(tmp_path, "# why\nFROM base\nCOPY d/$T /y\n", on_build=triggers)
    assert found == [
        "2: onee is not in the context; is 'one' meant?",
        "3: d/onee is not in the context; is 'one' meant?",
    ]
