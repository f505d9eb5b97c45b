"""The process that tests/bench/images.py measures: the real steps that make images, their audits and the index.

    python -c "from tests.bench.image_probe import main; main()" BASE PLATFORM,... ANSWER [loaded]

`BASE/bin/<platform>` are the binaries; their digests are known, as a compile step's result names them. The template
that ships is rendered, each platform's image is built by the embedded builder and audited, and all are joined, as the
executor would do it with two jobs.
Everything is left in `BASE/work` and `BASE/caches`. The answer: `own`, the seconds from here on; `late`, the modules
imported in that time; `made`, the layers that were not remembered; `digest`, that of the index. With `loaded` all that
the steps need is imported before; without, they import it when they come to it, as they do it in a build.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from rearch.model.command import Command
from rearch.model.frozen import FrozenDict
from rearch.model.limits import Limits
from rearch.model.platform import Platform, parse_platform
from rearch.model.step import Artifact, Inputs, Result, StepKind
from rearch.model.step_images import AuditInputs, ContextFile, ImageInputs, IndexInputs
from rearch.steps.perform import Performer
from rearch.steps.ports import Need, Outcome, Ports, Workspace

JOBS = 2
EPOCH = 1_700_000_000
# What the steps import when they need it.
LAZY = (
    "elftools.elf.structs",
    "isal.igzip_lib",
    "isal.isal_zlib",
    "jinja2",
    "rearch.config.template_bounds",
    "rearch.config.template_sandbox",
    "rearch.config.templates",
    "rearch.oci.embedded",
    "rearch.steps.audit",
    "rearch.steps.image",
    "rearch.steps.index",
)


def main() -> None:
    """Do it, and write down how long it took."""
    base, names, answer = Path(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3])
    for name in LAZY if sys.argv[4:] == ["loaded"] else ():
        import_module(name)
    before, started = set(sys.modules), time.perf_counter()
    bench = _Bench(base, Performer(_no_ports()))
    digest = bench.index([parse_platform(name) for name in names])
    own = time.perf_counter() - started
    late = sorted(name for name in set(sys.modules) - before if not name.startswith("encodings"))
    answer.write_text(json.dumps({"own": own, "late": late, "made": bench.made, "digest": digest}))


def _no_ports() -> Ports:
    """Images without a base reach nothing outside."""

    def refuse(*given: object) -> NoReturn:
        raise AssertionError(f"a step reached out: {given}")

    nothing: Any = None
    return Ports(
        sources=nothing,
        tools=nothing,
        packages=nothing,
        images=nothing,
        root_fs=nothing,
        emulator=refuse,
        builder=refuse,
    )


@dataclass
class _Bench:
    """Performs the steps, each in a workspace of its own."""

    base: Path
    perform: Performer
    made: int = 0

    def index(self, platforms: Sequence[Platform]) -> str:
        """The images of all platforms, side by side, then the index. Its digest."""
        with ThreadPoolExecutor(JOBS) as jobs:
            images = dict(zip(platforms, jobs.map(self._image, platforms), strict=True))
        inputs = IndexInputs(
            repository="tool", tag="v1", platforms=tuple(platforms), annotations=FrozenDict(), media_types="oci"
        )
        needs = {f"image {platform}": need for platform, need in images.items()}
        return str(self._step("index", StepKind.INDEX, inputs, needs).result.facts["digest"])

    def _image(self, platform: Platform) -> Need:
        name = str(platform).replace("/", "-")
        binaries = _compiled(self.base / "bin" / platform.oci_architecture)
        image = self._step(f"image-{name}", StepKind.IMAGE, _image_inputs(platform), {"binaries": binaries})
        audit = AuditInputs(platform=platform, allowed=FrozenDict())
        self._step(f"audit-{name}", StepKind.AUDIT, audit, {"image": image})
        return image

    def _step(self, name: str, kind: StepKind, inputs: Inputs, needs: Mapping[str, Need]) -> Need:
        work = self._workspace(name, needs)
        outcome: Outcome = self.perform(inputs, work)
        result = Result(key="0" * 64, kind=kind, artifacts=outcome.artifacts or (), facts=outcome.facts)
        return Need(result=result, files=work.files)

    def _workspace(self, name: str, needs: Mapping[str, Need]) -> Workspace:
        files, scratch = self.base / "work" / name / "files", self.base / "work" / name / "scratch"
        caches = self.base / "caches"
        for folder in (files, scratch, caches):
            folder.mkdir(parents=True, exist_ok=True)
        return Workspace(
            files=files,
            scratch=scratch,
            caches=caches,
            project=self.base,
            needs=needs,
            run=_run_nothing,
            say=self._say,
            progress=_show_nothing,
            limits=Limits(),
        )

    def _say(self, line: str) -> None:
        self.made += line.startswith("layer ") and line.endswith("(made)")


def _compiled(files: Path) -> Need:
    """What the store says of a compile step's result; images.py wrote it beside the binary."""
    known = json.loads((files / "artifact.json").read_text())
    result = Result(key="0" * 64, kind=StepKind.COMPILE, artifacts=(Artifact(**known),), facts=FrozenDict())
    return Need(result=result, files=files)


def _run_nothing(command: Command) -> NoReturn:
    raise AssertionError(f"a step started {command}")


def _show_nothing(label: str, done: int, total: int, unit: str) -> None:
    """Nobody looks at the bars."""


def _image_inputs(platform: Platform) -> ImageInputs:
    """As planning/images.py makes them of a recipe with one binary, an entrypoint and a label."""
    from rearch.config.templates import render_template

    place = f"{platform}/tool"
    rendered = render_template(Path("/nonexistent"), "scratch-binary", _template_values(platform, place))
    return ImageInputs(
        platform=platform,
        builder="embedded",
        dockerfile=rendered.text,
        template=rendered.path,
        engine="",
        args=FrozenDict(),
        stages=FrozenDict(),
        context=(ContextFile(place=place, path="bin/tool", role="binaries"),),
        annotations=FrozenDict(),
        media_types="oci",
        compression="gzip",
        source_date_epoch=EPOCH,
    )


def _template_values(platform: Platform, place: str) -> Mapping[str, Any]:
    """planning/image_values.py."""
    texts = dict.fromkeys(("version", "summary", "tag", "user", "workdir", "stop_signal"), "")
    lists: dict[str, list[str]] = {name: [] for name in ("stages", "ports", "volumes", "args")}
    return {
        **texts,
        **lists,
        "component": "tool",
        "repository": "tool",
        "platform": str(platform),
        "os": platform.os,
        "arch": platform.oci_architecture,
        "variant": platform.oci_variant or "",
        "base": "scratch",
        "files": [{"place": place, "to": "/tool", "mode": "0755", "owner": "0:0"}],
        "entrypoint": ["/tool"],
        "cmd": None,
        "env": {},
        "labels": {"team": "bench"},
        "healthcheck": None,
        "values": {},
    }
