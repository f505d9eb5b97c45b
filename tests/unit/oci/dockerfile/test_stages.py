"""Which stages are built, with what variables: everything that can be decided before anything is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from rearch.model.platform import parse_platform
from rearch.oci.dockerfile.errors import BadDockerfile, Problem
from rearch.oci.dockerfile.instructions import Copy, Label, Run, StageInstruction
from rearch.oci.dockerfile.parse import parse_dockerfile
from rearch.oci.dockerfile.stages import Earlier, Image, Nothing, Outside, PlannedStage, plan_stages


def _no_run(each: StageInstruction) -> Iterator[Problem]:
    if isinstance(each, Run):
        yield Problem(each.where.first, "RUN")


def _plan(text: str, *, args: Mapping[str, str] | None = None, platform: str = "linux/arm/v7") -> list[PlannedStage]:
    outside = Outside(
        args=args or {},
        platform=parse_platform(platform),
        images={"base", "other"},
        environment=lambda name: {"PATH": "/bin"} | ({"FROMBASE": "yes"} if name == "base" else {}),
    )
    return list(plan_stages(parse_dockerfile(text, "t.j2"), outside, _no_run))


def _labels(text: str, **more: str) -> dict[str, str]:
    last = _plan(text, args=more)[-1]
    return dict(pair for each in last.instructions if isinstance(each, Label) for pair in each.pairs)


def _problems(text: str, **args: str) -> list[str]:
    with pytest.raises(BadDockerfile) as caught:
        _plan(text, args=args)
    return [f"{problem.line}: {problem.text}" for problem in caught.value.problems]


def test_only_stages_that_the_last_one_needs_are_planned() -> None:
    text = (
        "FROM scratch AS unused\nRUN make\nFROM base AS a\nFROM nowhere AS b\nFROM a AS c\n"
        "FROM scratch\nCOPY --from=C x y\nCOPY --from=1 x y\nCOPY --from=other x y\n"
    )
    stages = _plan(text)
    assert [(stage.number, stage.start) for stage in stages] == [(1, Image("base")), (3, Earlier(1)), (4, Nothing())]
    assert stages[-1].sources == {"C": Earlier(3), "1": Earlier(1), "other": Image("other")}


def test_a_stage_hides_an_image_of_its_name() -> None:
    stages = _plan("FROM base AS other\nFROM other\n")
    assert stages[-1].start == Earlier(0)


def test_arguments_before_and_in_stages() -> None:
    text = 'ARG V=1\nARG W=$V-$TARGETARCH\nFROM ${B:-base}\nARG V\nARG W\nARG X="$V $W"\nARG V=3\nLABEL x=$X v=$V\n'
    assert _labels(text) == {"x": "1 1-arm", "v": "3"}
    assert _labels(text, V="9") == {"x": "9 9-arm", "v": "9"}


def test_the_later_of_arg_and_env_wins_as_with_buildkit() -> None:
    assert _labels("FROM base\nENV A=env\nARG A=arg\nLABEL a=$A\n") == {"a": "arg"}
    assert _labels("FROM base\nARG A=arg\nENV A=env\nLABEL a=$A\n") == {"a": "env"}
    assert _labels("FROM base\nENV A=env\nARG A\nLABEL a=$A\n") == {"a": "env"}


def test_an_env_does_not_see_itself() -> None:
    assert _labels("FROM base\nENV a=hello\nENV a=bye b=$a\nLABEL x=$a$b p=$PATH f=$FROMBASE\n") == {
        "x": "byehello",
        "p": "/bin",
        "f": "yes",
    }


def test_a_stage_inherits_variables_of_the_stage_that_it_starts_from() -> None:
    assert _labels("FROM base AS a\nARG Z=1\nENV Y=2\nFROM a\nLABEL x=$Z$Y$FROMBASE\n") == {"x": "12yes"}


def test_automatic_platform_arguments_have_to_be_declared() -> None:
    names = ("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM")
    labels = " ".join(f"{name.lower()}=[${name}]" for name in names)
    assert _labels(f"FROM --platform=$TARGETPLATFORM base\nARG {' '.join(names)}\nLABEL {labels}\n") == {
        "targetplatform": "[linux/arm/v7]",
        "targetos": "[linux]",
        "targetarch": "[arm]",
        "targetvariant": "[v7]",
        "buildplatform": "[linux/arm/v7]",
    }
    assert _problems("FROM base\nLABEL a=$TARGETARCH\n") == ["2: variable TARGETARCH is not defined in this stage"]


def test_paths_of_copy_are_replaced_and_the_stage_is_not() -> None:
    (_, last) = _plan("FROM base AS s\nFROM base\nARG D=/to\nCOPY --from=s --chown=$D '$D/a' \"${D}/b\"\n")
    (copy,) = last.instructions
    assert isinstance(copy, Copy)
    assert (copy.sources, copy.target, copy.chown) == (("$D/a",), "/to/b", "/to")


def test_an_argument_that_nobody_declares() -> None:
    assert _problems("FROM base\nARG VERSION\n", VERSOIN="1") == [
        "0: build argument VERSOIN is given, but no ARG declares it; is 'VERSION' meant?"
    ]
    assert _plan("FROM base\n", args={"HTTP_PROXY": "http://proxy.example.org"})


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("FROM bass\n", ["1: FROM bass: no such stage, and no image that the recipe declares; is 'base' meant?"]),
        (
            "FROM --platform=linux/amd64 base\n",
            ["1: --platform=linux/amd64, but the image is for linux/arm/v7"],
        ),
        ("FROM --platform=vax base\n", ["1: --platform=vax: unknown platform 'vax'"]),
        ("FROM $X\n", ["1: variable X is not defined"]),
        (
            "FROM base\nCOPY --from=1 a b\nCOPY --from=nope a b\n",
            [
                "2: --from=1: there is no stage 1 before this one, which is stage 0",
                "3: --from=nope: no stage before this one, and no image that the recipe declares",
            ],
        ),
        (
            "FROM base\nRUN a\nENV A=$B\nLABEL x=$A y=$C\nARG D\nWORKDIR $D\nSTOPSIGNAL x\nEXPOSE y\nRUN b\n",
            [
                "2: RUN",
                "3: variable B is not defined; is 'D' meant?",
                "4: variable C is not defined",
                "6: argument D has no value: line 5 declares it without a default",
                "7: 'x' is no signal",
                "8: 'y' is no port",
                "9: RUN",
            ],
        ),
        (
            "FROM base\nARG E=\nWORKDIR $E\nUSER ''\nCOPY $E /x\n",
            ["3: WORKDIR is empty", "4: USER is empty", "5: a source is empty"],
        ),
    ],
)
def test_all_problems_at_once(text: str, problems: list[str]) -> None:
    assert [each.replace("; is 'D' meant?", "") for each in _problems(text)] == [
        each.replace("; is 'D' meant?", "") for each in problems
    ]
