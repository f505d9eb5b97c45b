"""A Dockerfile's text -> instructions, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from rearch.oci.dockerfile import flags as known_flags
from rearch.oci.dockerfile.errors import BadDockerfile, Problem, Trouble, meant
from rearch.oci.dockerfile.flags import Flags
from rearch.oci.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    Stage,
    StageInstruction,
    StopSignal,
    User,
    Volume,
    Where,
    Words,
    Workdir,
)
from rearch.oci.dockerfile.lines import Heredoc, Read, Statement, read_statements
from rearch.oci.dockerfile.values import Mode, duration
from rearch.oci.dockerfile.words import json_words, list_of, skip_blanks, split_flags, split_pairs, split_words

_NAME = re.compile(r"[a-z][a-z0-9_.-]*\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class _Part:
    """One statement taken apart: its flags, and the text behind them."""

    def __init__(self, statement: Statement, escape: str) -> None:
        self.statement = statement
        self.escape = escape
        self.keyword = statement.text.split(None, 1)[0]
        kind = self.keyword.upper()
        start = skip_blanks(statement.text, len(self.keyword))
        words, self.at = ((), start) if kind == "ONBUILD" else split_flags(statement.text, start, escape)
        self.kind = kind
        self.raw_flags = words
        self.text = statement.text[self.at :]
        self.where = Where(first=statement.first, last=statement.last, text=statement.text)

    def flags(self) -> Flags:
        return Flags(self.kind, self.raw_flags, self.statement)

    def words(self) -> tuple[str, ...]:
        return split_words(self.text, self.escape)

    def whole(self, what: str) -> str:
        """The text as one value. Errors: Trouble when there is none."""
        if not self.text:
            raise Trouble(f"{self.kind} without {what}")
        return self.text


def _from(part: _Part) -> From:
    flags = part.flags()
    words = part.words()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
        raise Trouble("FROM wants an image, and maybe `AS name`", "write FROM image AS name")
    name = words[2].lower() if len(words) == 3 else None
    if name is not None and not _NAME.match(name):
        raise Trouble(f"{words[2]!r} is no name for a stage", "letters, digits and _ . -, a letter first")
    at = part.statement.where(part.at)
    return From(where=part.where, image=words[0], name=name, platform=flags.text("platform"), image_at=at)


def _arg(part: _Part) -> Arg:
    part.flags()
    pairs = [word.partition("=") for word in part.words()]
    if not pairs:
        raise Trouble("ARG without a name", "write ARG NAME or ARG NAME=default")
    for name, _equals, _value in pairs:
        if not _VARIABLE.match(name):
            raise Trouble(f"{name!r} is no name for an argument", "write ARG NAME or ARG NAME=default")
    return Arg(where=part.where, pairs=tuple((name, value if equals else None) for name, equals, value in pairs))


def _env(part: _Part) -> Env:
    part.flags()
    return Env(where=part.where, pairs=split_pairs(part.text, part.escape, "ENV"))


def _label(part: _Part) -> Label:
    part.flags()
    return Label(where=part.where, pairs=split_pairs(part.text, part.escape, "LABEL"))


def _paths(part: _Part) -> tuple[tuple[str, ...], str, tuple[Heredoc, ...]]:
    """Sources, target, and the sources that are here-documents."""
    words = list_of(part.text, part.escape)
    if len(words) < 2:
        raise Trouble(f"{part.kind} wants a source and a target", f"write {part.kind} source... target")
    tokens = {heredoc.token for heredoc in part.statement.heredocs}
    sources = tuple(word for word in words[:-1] if word not in tokens)
    return sources, words[-1], part.statement.heredocs


def _copy(part: _Part) -> Copy:
    flags = part.flags()
    sources, target, heredocs = _paths(part)
    stage = flags.text("from")
    if stage is not None and heredocs:
        raise Trouble("COPY --from takes no here-document")
    return Copy(
        where=part.where,
        sources=sources,
        target=target,
        heredocs=heredocs,
        stage=stage,
        stage_at=flags.place("from"),
        chown=flags.text("chown"),
        chmod=_mode(flags),
        link=flags.true("link"),
        parents=flags.true("parents"),
        exclude=flags.texts("exclude"),
    )


def _add(part: _Part) -> Add:
    flags = part.flags()
    sources, target, heredocs = _paths(part)
    return Add(
        where=part.where,
        sources=sources,
        target=target,
        heredocs=heredocs,
        chown=flags.text("chown"),
        chmod=_mode(flags),
        link=flags.true("link"),
        exclude=flags.texts("exclude"),
        unpack=flags.flag("unpack"),
        checksum=flags.text("checksum"),
        keep_git_dir=flags.true("keep-git-dir"),
    )


def _mode(flags: Flags) -> str | None:
    text = flags.text("chmod")
    if text is not None and "$" not in text:
        Mode(text)
    return text


def _command(part: _Part) -> Words:
    words = json_words(part.text)
    if words is None:
        return Words(for_shell=True, words=(part.whole("a command"),))
    return Words(for_shell=False, words=words)


def _run(part: _Part) -> Run:
    flags = part.flags()
    return Run(where=part.where, command=_command(part), flags=flags.all(), heredocs=part.statement.heredocs)


def _cmd(part: _Part) -> Cmd:
    part.flags()
    return Cmd(where=part.where, command=_command(part))


def _entrypoint(part: _Part) -> Entrypoint:
    part.flags()
    return Entrypoint(where=part.where, command=_command(part))


def _workdir(part: _Part) -> Workdir:
    part.flags()
    return Workdir(where=part.where, path=part.whole("a folder"))


def _user(part: _Part) -> User:
    part.flags()
    return User(where=part.where, user=part.whole("a user"))


def _expose(part: _Part) -> Expose:
    part.flags()
    part.whole("a port")
    return Expose(where=part.where, ports=part.words())


def _volume(part: _Part) -> Volume:
    part.flags()
    paths = list_of(part.whole("a path"), part.escape)
    if json_words(part.text) is None and part.text.startswith("["):
        raise Trouble(f"{part.text} is no JSON array", "put every path between double quotes")
    if not paths or not all(path.strip() for path in paths):
        raise Trouble("a volume cannot be empty")
    return Volume(where=part.where, paths=paths)


def _stop_signal(part: _Part) -> StopSignal:
    part.flags()
    return StopSignal(where=part.where, signal=part.whole("a signal"))


def _healthcheck(part: _Part) -> Healthcheck:
    flags = part.flags()
    kind, _blank, rest = part.text.partition(" ")
    if kind.upper() == "NONE":
        if rest.strip() or part.raw_flags:
            raise Trouble("HEALTHCHECK NONE takes nothing more")
        return Healthcheck(where=part.where, command=None)
    if kind.upper() != "CMD" or not rest.strip():
        raise Trouble("HEALTHCHECK wants CMD and a command, or NONE", "write HEALTHCHECK CMD [...]")
    words = json_words(rest.strip())
    command = Words(for_shell=True, words=(rest.strip(),)) if words is None else Words(for_shell=False, words=words)
    if not command.words:
        raise Trouble("HEALTHCHECK CMD without a command")
    return Healthcheck(
        where=part.where,
        command=command,
        interval=_span(flags, "interval"),
        timeout=_span(flags, "timeout"),
        start_period=_span(flags, "start-period"),
        start_interval=_span(flags, "start-interval"),
        retries=_retries(flags),
    )


def _span(flags: Flags, name: str) -> int:
    text = flags.text(name)
    return 0 if text is None else duration(text)


def _retries(flags: Flags) -> int:
    text = flags.text("retries")
    if text is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise Trouble(f"--retries={text}: a whole number from 1 is wanted")
    return int(text)


def _shell(part: _Part) -> Shell:
    part.flags()
    words = json_words(part.text)
    if not words:
        raise Trouble("SHELL wants a JSON array", 'write SHELL ["/bin/sh", "-c"]')
    return Shell(where=part.where, words=words)


def _maintainer(part: _Part) -> Maintainer:
    part.flags()
    return Maintainer(where=part.where, author=part.whole("a name"))


def _on_build(part: _Part) -> OnBuild:
    return OnBuild(where=part.where, trigger=part.whole("an instruction"))


_READERS: dict[str, Callable[[_Part], Instruction]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _on_build,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
assert set(known_flags.KNOWN) <= set(_READERS)


def parse_dockerfile(text: str, template: str) -> Dockerfile:
    """Read a Dockerfile. `template` is where it came from, for messages.

    Errors: BadDockerfile with every unknown instruction or flag, every malformed value and every misplaced instruction.
    """
    read = read_statements(text)
    problems = list(read.problems)
    instructions = [found for found in _read(read, problems) if found is not None]
    arguments, stages = _staged(instructions, problems)
    if not stages and not problems:
        problems.append(Problem(0, "it has no FROM: there is nothing to build", "write FROM scratch or FROM base"))
    if problems:
        raise BadDockerfile(template, problems)
    return Dockerfile(template=template, escape=read.escape, arguments=arguments, stages=stages)


def _read(read: Read, problems: list[Problem]) -> Iterable[Instruction | None]:
    for statement in read.statements:
        try:
            yield _instruction(_Part(statement, read.escape))
        except Trouble as trouble:
            problems.append(trouble.at(statement.first))
            # Whatever is wrong with a FROM, what follows is not before the first stage.
            if statement.text[:4].upper() == "FROM":
                yield From(where=Where(first=statement.first, last=statement.last, text=""), image="", image_at=(0, 0))


def _instruction(part: _Part) -> Instruction:
    reader = _READERS.get(part.kind)
    if reader is None:
        raise Trouble(f"unknown instruction {part.keyword}{meant(part.keyword, _READERS)}")
    return reader(part)


def _staged(instructions: Sequence[Instruction], problems: list[Problem]) -> tuple[tuple[Arg, ...], tuple[Stage, ...]]:
    arguments, starts, bodies = list[Arg](), list[From](), list[list[StageInstruction]]()
    names: dict[str, int] = {}
    for each in instructions:
        if isinstance(each, From):
            if each.name in names:
                text = f"stage {each.name} is there already, from line {names[each.name]}"
                problems.append(Problem(each.where.first, text))
            names |= {each.name: each.where.first} if each.name else {}
            starts.append(each)
            bodies.append([])
        elif bodies:
            bodies[-1].append(each)
        elif isinstance(each, Arg):
            arguments.append(each)
        else:
            kind = each.where.text.split(None, 1)[0]
            problems.append(Problem(each.where.first, f"{kind} before the first FROM: only ARG can stand there"))
    stages = zip(starts, bodies, strict=True)
    return tuple(arguments), tuple(
        Stage(number=number, start=start, instructions=tuple(body)) for number, (start, body) in enumerate(stages)
    )
