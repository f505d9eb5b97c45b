"""history.jsonl: one line a run, for trends. A torn line is told of and left out; everything else goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from rearch.model.frozen import NOTHING
from rearch.model.typed import Undecodable, decode_json
from rearch.reporting.record import Bytes, Code, Image, Run, Seconds, Time, as_json

BINARY = "binary"
IMAGE = "image"
_NUMBERS = 5


class Size(Struct, frozen=True, kw_only=True):
    """Bytes of one thing: `what` is binary or image, `name` the program's or the repository's."""

    what: str
    component: str
    platform: str
    name: str
    bytes: Bytes

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is the size of."""
        return self.what, self.component, self.platform, self.name


class Line(Struct, frozen=True, kw_only=True):
    """A run in a line. `time`: seconds since 1970. `counts`: outcome -> steps. `tags`: change -> published tags.
    `again`: the run whose results this one found as they were; it has no record of its own."""

    run: str
    command: str
    time: Time
    exit_code: Code
    seconds: Seconds
    counts: Mapping[str, int] = NOTHING
    sizes: tuple[Size, ...] = ()
    tags: Mapping[str, int] = NOTHING
    again: str = ""


class History(Struct, frozen=True, kw_only=True):
    """The lines in the order in which they were written (a clock can jump), and what is to be told about the file."""

    lines: tuple[Line, ...] = ()
    told: tuple[str, ...] = ()

    def of(self, command: str) -> tuple[Line, ...]:
        """Those of one command."""
        return tuple(line for line in self.lines if line.command == command)

    def before(self, run: str) -> tuple[Line, ...]:
        """Those that were written before a run's own; all of them where the run has none."""
        for place, line in enumerate(self.lines):
            if line.run == run:
                return self.lines[:place]
        return self.lines

    def again(self, run: str) -> tuple[Line, ...]:
        """Those that found everything as a run had left it, behind that run's own line or the last of others."""
        found: list[Line] = []
        for line in reversed(self.of("build")):
            if line.again != run:
                break
            found.append(line)
        return tuple(reversed(found))

    def sizes_before(self, run: str) -> Mapping[tuple[str, str, str, str], int]:
        """The size that each thing had when it was last built before a run."""
        return {size.key: size.bytes for line in self.before(run) for size in line.sizes}


def line_of(run: Run) -> Line:
    """A run in a line."""
    tags: dict[str, int] = {}
    for reference in run.references:
        tags[reference.change] = tags.get(reference.change, 0) + 1
    return Line(
        run=run.id,
        command=run.command,
        time=run.time,
        exit_code=run.exit_code,
        seconds=run.seconds,
        counts={name: count for name, count in run.counts().items() if count},
        sizes=sizes_of(run),
        tags=tags,
    )


def sizes_of(run: Run) -> tuple[Size, ...]:
    """Every binary and every image whose size is known."""
    binaries = [
        Size(what=BINARY, component=one.component, platform=one.platform, name=one.name, bytes=one.size)
        for one in run.binaries
    ]
    return (*binaries, *(_image_size(image) for image in run.images if image.size is not None))


def _image_size(image: Image) -> Size:
    return Size(
        what=IMAGE,
        component=image.component,
        platform=image.platform,
        name=image.repository,
        bytes=image.size or 0,
    )


def line_bytes(line: Line) -> bytes:
    """The line, newline included."""
    return as_json(line) + b"\n"


def read_lines(lines: Iterable[bytes], *, first: int | None = 1) -> History:
    """The lines of a file. `first` is the number of the first one; None where only the end of the file was read."""
    found: list[Line] = []
    torn: list[int] = []
    for number, data in enumerate(lines, first or 0):
        if not data.strip():
            continue
        try:
            found.append(decode_json(data, Line))
        except (Undecodable, RecursionError):
            torn.append(number)
    return History(lines=tuple(found), told=(_torn(torn, numbered=first is not None),) if torn else ())


def _torn(numbers: list[int], *, numbered: bool) -> str:
    """One sentence, however many there are: a file of junk has a million lines."""
    one = len(numbers) == 1
    rest = f" and {len(numbers) - _NUMBERS} more" if len(numbers) > _NUMBERS else ""
    if numbered:
        where = f"line{'s' * (not one)} {', '.join(map(str, numbers[:_NUMBERS]))}{rest}"
    else:
        where = "a line near its end" if one else f"{len(numbers)} lines near its end"
    return (
        f"history.jsonl: {where} {'is' if one else 'are'} torn or not ours; "
        f"{'it is' if one else 'they are'} skipped, and nothing else is lost"
    )
