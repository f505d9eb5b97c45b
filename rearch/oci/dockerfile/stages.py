"""Which stages are built, what each starts from, and their instructions with every text final: decided before anything
is copied, so that all problems come out at once and nothing is half done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from msgspec import Struct

from rearch.model.platform import Platform, UnknownPlatform, parse_platform
from rearch.oci.dockerfile.errors import BadDockerfile, Problem, Trouble, meant
from rearch.oci.dockerfile.expand import expand
from rearch.oci.dockerfile.instructions import Arg, Copy, Dockerfile, Env, Stage, StageInstruction
from rearch.oci.dockerfile.variables import Scope, replaced

# BuildKit knows these without an ARG ("Predefined ARGs"); they are for RUN, and never part of the image.
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
PREDEFINED = frozenset((*_PROXIES, *map(str.upper, _PROXIES), "SOURCE_DATE_EPOCH"))


class Earlier(Struct, frozen=True):
    """Another stage of the Dockerfile, by its number."""

    number: int


class Image(Struct, frozen=True):
    """An image from outside, by the name that the recipe gives it."""

    name: str


class Nothing(Struct, frozen=True):
    """`scratch`."""


Start = Earlier | Image | Nothing


class PlannedStage(Struct, frozen=True, kw_only=True):
    """A stage that is built. `sources`: what COPY --from calls it -> what that is."""

    number: int
    start: Start
    instructions: tuple[StageInstruction, ...]
    sources: Mapping[str, Start]


class Outside(Struct, frozen=True, kw_only=True):
    """What a Dockerfile is evaluated with: build arguments, the platform, the names of images from outside,
    and how to get the environment that such an image begins with."""

    args: Mapping[str, str]
    platform: Platform
    images: Set[str]
    environment: Callable[[str], Mapping[str, str]]


def automatic_arguments(platform: Platform) -> dict[str, str]:
    """Dockerfile reference, "Automatic platform ARGs in the global scope".

    BUILD* are those of the target too: nothing runs here, and a result that told what machine it was made on could
    not be the same on any other.
    """
    words = {
        "PLATFORM": str(platform),
        "OS": platform.os,
        "ARCH": platform.oci_architecture,
        "VARIANT": platform.oci_variant or "",
    }
    return {f"{side}{name}": value for side in ("TARGET", "BUILD") for name, value in words.items()}


def plan_stages(
    dockerfile: Dockerfile, outside: Outside, refused: Callable[[StageInstruction], Iterable[Problem]]
) -> tuple[PlannedStage, ...]:
    """The stages that the last one needs, in the order of the file.

    `refused` says why the builder will not carry out an instruction. Errors: BadDockerfile, with all problems.
    """
    planner = _Planner(dockerfile, outside, refused)
    planned = planner.run()
    if planner.problems:
        raise BadDockerfile(dockerfile.template, planner.problems)
    return planned


class _Planner:
    def __init__(
        self,
        dockerfile: Dockerfile,
        outside: Outside,
        refused: Callable[[StageInstruction], Iterable[Problem]],
    ) -> None:
        self._file = dockerfile
        self._outside = outside
        self._refused = refused
        self._global = Scope()
        self._scopes: dict[int, Scope] = {}
        self.problems: list[Problem] = []

    def run(self) -> tuple[PlannedStage, ...]:
        self._undeclared()
        self._before_stages()
        starts = {stage.number: self._start(stage) for stage in self._file.stages}
        needed = self._needed(starts)
        self.problems += [each for number in sorted(needed) for each in starts[number][1]]
        return tuple(
            self._stage(stage, starts[stage.number][0]) for stage in self._file.stages if stage.number in needed
        )

    def _undeclared(self) -> None:
        """Build arguments that nobody asks for: a slip of the pen, always."""
        inside = (each for stage in self._file.stages for each in stage.instructions if isinstance(each, Arg))
        declared = {name for each in (*self._file.arguments, *inside) for name, _ in each.pairs}
        known = declared | PREDEFINED | set(automatic_arguments(self._outside.platform))
        for name in self._outside.args:
            if name not in known:
                text = f"build argument {name} is given, but no ARG declares it{meant(name, declared)}"
                self.problems.append(Problem(0, text, f"write ARG {name} in the stage that uses it"))

    def _before_stages(self) -> None:
        for name, value in automatic_arguments(self._outside.platform).items():
            self._global.set(name, self._outside.args.get(name, value))
        for each in self._file.arguments:
            self._argue(each, self._global, {})

    def _argue(self, each: Arg, scope: Scope, beyond: Mapping[str, str]) -> None:
        """Declare arguments: what was given wins over the default, the default over what stands before the stages."""
        for name, default in each.pairs:
            if name in self._outside.args:
                scope.set(name, self._outside.args[name])
            elif default is not None:
                self._default(each, name, default, scope)
            elif name in beyond:
                scope.set(name, beyond[name])
            else:
                scope.declare(name, each.where.first)

    def _text(self, word: str, scope: Scope) -> str:
        return replaced(word, scope, self._file.escape)

    def _default(self, each: Arg, name: str, default: str, scope: Scope) -> None:
        try:
            scope.set(name, self._text(default, scope))
        except Trouble as trouble:
            self.problems.append(trouble.at(each.where.first))
            scope.set(name, "")  # so that it is told once

    def _start(self, stage: Stage) -> tuple[Start, tuple[Problem, ...]]:
        """What a FROM names; a problem counts only where the stage is needed."""
        try:
            self._platform(stage)
            return self._image(self._text(stage.start.image, self._global), stage.number), ()
        except Trouble as trouble:
            return Nothing(), (trouble.at(stage.start.where.first),)

    def _platform(self, stage: Stage) -> None:
        if stage.start.platform is None:
            return
        text = self._text(stage.start.platform, self._global)
        try:
            platform = parse_platform(text)
        except UnknownPlatform as error:
            raise Trouble(f"--platform={text}: {error.summary}", error.hint) from None
        if platform != self._outside.platform:
            raise Trouble(
                f"--platform={text}, but the image is for {self._outside.platform}",
                "leave --platform out: every stage is for the image's platform; other stages need `builder: docker`",
            )

    def _image(self, name: str, number: int) -> Start:
        earlier = self._earlier(name, number)
        if earlier is not None:
            return earlier
        if name in self._outside.images:
            return Image(name)
        if name == "scratch":
            return Nothing()
        names = {stage.start.name for stage in self._file.stages[:number]} - {None}
        known = sorted({*self._outside.images, *(each for each in names if each), "scratch"})
        raise Trouble(
            f"FROM {name}: no such stage, and no image that the recipe declares{meant(name, known)}",
            f"here are {', '.join(known)}; declare others under image.base or image.stages",
        )

    def _earlier(self, name: str, number: int) -> Earlier | None:
        for stage in reversed(self._file.stages[:number]):
            if stage.start.name == name.lower():
                return Earlier(stage.number)
        return None

    def _source(self, name: str, number: int) -> Start:
        """What COPY --from names: a stage by name or number, or an image."""
        if name.isascii() and name.isdigit() and len(name) < 6:
            if int(name) >= number:
                raise Trouble(f"--from={name}: there is no stage {name} before this one, which is stage {number}")
            return Earlier(int(name))
        found = self._earlier(name, number)
        if found is None and name in self._outside.images:
            return Image(name)
        if found is None:
            names = [stage.start.name for stage in self._file.stages[:number] if stage.start.name]
            known = sorted({*self._outside.images, *names})
            raise Trouble(
                f"--from={name}: no stage before this one, and no image that the recipe declares{meant(name, known)}",
                f"here are {', '.join(known)}" if known else "declare images under image.stages",
            )
        return found

    def _needed(self, starts: Mapping[int, tuple[Start, tuple[Problem, ...]]]) -> set[int]:
        todo, needed = [self._file.stages[-1].number], set[int]()
        while todo:
            number = todo.pop()
            if number in needed:
                continue
            needed.add(number)
            stage = self._file.stages[number]
            found = [starts[number][0]]
            for each in stage.instructions:
                if isinstance(each, Copy) and each.stage is not None:
                    try:
                        found.append(self._source(each.stage, number))
                    except Trouble as trouble:
                        self.problems.append(trouble.at(each.where.first))
            todo += [start.number for start in found if isinstance(start, Earlier)]
        return needed

    def _stage(self, stage: Stage, start: Start) -> PlannedStage:
        scope = self._scopes[stage.number] = self._begin(start)
        done = list[StageInstruction]()
        for each in stage.instructions:
            if isinstance(each, Arg):
                self._argue(each, scope, self._global.values)
                continue
            final = self._expanded(each, scope)
            self.problems += self._refused(final)
            if isinstance(final, Env):
                for name, value in final.pairs:
                    scope.set(name, value)
            done.append(final)
        names = {each.stage for each in done if isinstance(each, Copy) and each.stage is not None}
        sources = {} if self.problems else {name: self._source(name, stage.number) for name in sorted(names)}
        return PlannedStage(number=stage.number, start=start, instructions=tuple(done), sources=sources)

    def _expanded(self, each: StageInstruction, scope: Scope) -> StageInstruction:
        """The instruction with its final texts; where it has none, as it is, so that one problem is told once."""
        try:
            return expand(each, scope, self._file.escape)
        except Trouble as trouble:
            self.problems.append(trouble.at(each.where.first))
            return each

    def _begin(self, start: Start) -> Scope:
        match start:
            case Earlier(number):
                before = self._scopes[number]
                return Scope(dict(before.values), dict(before.empty), self._global.values)
            case Image(name):
                return Scope(dict(self._outside.environment(name)), {}, self._global.values)
            case Nothing():
                return Scope(dict(self._outside.environment("")), {}, self._global.values)
