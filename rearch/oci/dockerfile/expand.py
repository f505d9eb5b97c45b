"""Instructions with their variables put in. Which have any, the Dockerfile reference says ("Environment replacement").

Commands have none: their shell does that when the container runs. `COPY --from` and HEALTHCHECK have none either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.dockerfile.instructions import (
    Add,
    Copy,
    Env,
    Expose,
    Label,
    StageInstruction,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from rearch.oci.dockerfile.lines import Heredoc
from rearch.oci.dockerfile.values import Mode, ports, signal
from rearch.oci.dockerfile.variables import Scope, replaced, replaced_raw

_T = TypeVar("_T", Copy, Add)
Text = Callable[[str], str]


def expand(each: StageInstruction, scope: Scope, escape: str) -> StageInstruction:
    """The instruction with final texts: no quotes, no variables. ARG is not expanded here, for it makes the scope.

    Errors: Trouble for an undefined variable, and for values that are wrong now that they are known.
    """

    def text(word: str) -> str:
        return replaced(word, scope, escape)

    match each:
        case Env() | Label():
            return replace(each, pairs=tuple((_full(text(name)), text(value)) for name, value in each.pairs))
        case Copy():
            return _copied(each, text, scope)
        case Add():
            return _copied(each, text, scope)
        case Workdir():
            return replace(each, path=_filled(text(each.path), "WORKDIR"))
        case User():
            return replace(each, user=_filled(text(each.user), "USER"))
        case Expose():
            words = [word for port in each.ports for word in text(port).split()]
            return replace(each, ports=tuple(dict.fromkeys(port for word in words for port in ports(word))))
        case Volume():
            return replace(each, paths=tuple(_filled(text(path), "VOLUME") for path in each.paths))
        case StopSignal():
            return replace(each, signal=signal(text(each.signal)))
        case _:
            return each


def _filled(value: str, kind: str) -> str:
    if not value.strip():
        raise Trouble(f"{kind} is empty")
    if "\0" in value or "\n" in value:
        raise Trouble(f"{kind} has a control character")
    return value


def _full(name: str) -> str:
    if not name.strip():
        raise Trouble("a name is empty")
    return name


def _copied(each: _T, text: Text, scope: Scope) -> _T:
    chmod = text(each.chmod) if each.chmod is not None else None
    if chmod is not None:
        Mode(chmod)
    return replace(
        each,
        sources=tuple(_filled(text(source), "a source") for source in each.sources),
        target=_filled(text(each.target), "the target"),
        heredocs=tuple(_document(heredoc, scope) for heredoc in each.heredocs),
        chown=_filled(text(each.chown), "--chown") if each.chown is not None else None,
        chmod=chmod,
    )


def _document(heredoc: Heredoc, scope: Scope) -> Heredoc:
    return replace(heredoc, text=replaced_raw(heredoc.text, scope), expand=False) if heredoc.expand else heredoc
