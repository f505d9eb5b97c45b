"""The run settings by our own evaluation: variables, stages, triggers, what is inherited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rearch.host.building.evaluated import evaluated
from rearch.host.building.failure import instructions
from rearch.host.building.names import Planned, planned, with_names
from rearch.host.building.take import StageImage
from rearch.model.platform import parse_platform
from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.order import ImageOrder
from rearch.oci.types import HealthcheckConfig, RunConfig
from tests.support.layouts import make_image

ARM64 = parse_platform("arm64")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def plan(folder: Path, dockerfile: str, args: Mapping[str, str], run: Mapping[str, Any]) -> tuple[Planned, ImageOrder]:
    image = make_image(folder / "base", ARM64, [[]], **run)
    order = ImageOrder(
        dockerfile=dockerfile,
        template="t",
        context=folder,
        platform=ARM64,
        stages={"base": folder / "base"},
        args=args,
        epoch=0,
        compression="gzip",
        media_types="oci",
        layout=folder,
        layers=folder,
        scratch=folder,
        say=print,
    )
    return planned(order, (StageImage(name="base", layout=folder / "base", image=image),)), order


def settings(folder: Path, dockerfile: str, args: Mapping[str, str] | None = None, **run: Any) -> RunConfig:
    return evaluated(*plan(folder, dockerfile, args or {}, run))


def test_scratch(tmp_path: Path) -> None:
    assert settings(tmp_path, "FROM scratch\nRUN make\n") == RunConfig(env=(PATH,), working_dir="/")


def test_what_buildah_writes_otherwise(tmp_path: Path) -> None:
    dockerfile = (
        'FROM base\nENV B=2 A=new\nSHELL ["/bin/x", "-c"]\nENTRYPOINT run $A\nCMD it\nHEALTHCHECK CMD look\n'
        "EXPOSE 8000-8002 53/udp\n"
    )
    run = settings(tmp_path, dockerfile, env=("A=1", "PATH=/bin"), exposed_ports={"9/tcp": {}})
    assert run.env == ("A=new", "PATH=/bin", "B=2")
    assert (run.entrypoint, run.cmd) == (("/bin/x", "-c", "run $A"), ("/bin/x", "-c", "it"))
    assert run.shell == ("/bin/x", "-c")
    assert run.healthcheck == HealthcheckConfig(test=("CMD-SHELL", "look"))
    assert list(run.exposed_ports or ()) == ["9/tcp", "8000/tcp", "8001/tcp", "8002/tcp", "53/udp"]


def test_stages_arguments_and_what_is_inherited(tmp_path: Path) -> None:
    dockerfile = (
        "ARG V\nFROM base AS one\nARG V\nENV ONE=$V\nWORKDIR sub\nCMD own\n"
        "FROM scratch AS other\nENV LOST=1\nFROM one\nCOPY --from=other / /\nUSER $ONE\nLABEL a=$ONE\n"
        'ENTRYPOINT ["/e"]\n'
    )
    run = settings(tmp_path, dockerfile, {"V": "7"}, env=("PATH=/bin",), working_dir="/opt", labels={"b": "base"})
    assert run.env == ("PATH=/bin", "ONE=7")
    assert (run.working_dir, run.user, run.labels) == ("/opt/sub", "7", {"b": "base", "a": "7"})
    assert (run.entrypoint, run.cmd) == (("/e",), None)


def test_triggers_come_first_and_are_gone_then(tmp_path: Path) -> None:
    dockerfile = "FROM base AS one\nENV T=2\nONBUILD ENV O=$T\nFROM one\nENV U=$O-$T\nONBUILD RUN  a   'b'\n"
    run = settings(tmp_path, dockerfile, env=("PATH=/bin",), on_build=("ENV T=1 W=1", "USER 5"))
    assert run.env == ("PATH=/bin", "T=2", "W=1", "O=2", "U=2-2")
    assert run.user == "5"
    assert run.on_build == ("RUN  a   'b'",)
    assert settings(tmp_path / "b", "FROM base\n", on_build=("USER 5",)).on_build is None


def test_a_trigger_is_told_by_the_line_of_from(tmp_path: Path) -> None:
    found, _order = plan(
        tmp_path, "# why\nFROM base\nRUN own\n", {}, {"on_build": ("RUN theirs", "COPY --from=base a b")}
    )
    assert [(line, text) for line, text in instructions(found.dockerfile)] == [
        (2, "FROM base"),
        (2, "RUN theirs"),
        (2, "COPY --from=base a b"),
        (3, "RUN own"),
    ]
    assert with_names(found, {"base": "new"}) == "# why\nFROM new\nRUN own\n"


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM base\n", r"t:1: ONBUILD of base:\d+: unknown instruction NONSENSE"),
        ("FROM bass\n", r"t:1: .*bass.*is 'base' meant"),
    ],
)
def test_triggers_that_are_wrong(tmp_path: Path, dockerfile: str, message: str) -> None:
    with pytest.raises(BadDockerfile, match=message):
        plan(tmp_path, dockerfile, {}, {"on_build": ("NONSENSE it",)})
