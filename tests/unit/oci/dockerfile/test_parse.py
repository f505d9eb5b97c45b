"""Dockerfiles: what is read, and what is said about those that cannot be."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import ExitCode
from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.dockerfile.instructions import (
    Add,
    Cmd,
    Copy,
    Env,
    Healthcheck,
    Label,
    Run,
    Shell,
    StageInstruction,
    Volume,
    Words,
)
from rearch.oci.dockerfile.parse import parse_dockerfile


def _one(text: str) -> StageInstruction:
    (each,) = parse_dockerfile(f"FROM scratch\n{text}", "t.j2").stages[0].instructions
    return each


def _problems(text: str) -> list[str]:
    with pytest.raises(BadDockerfile) as caught:
        parse_dockerfile(text, "t.j2")
    assert caught.value.exit_code is ExitCode.USAGE
    return [f"{problem.line}: {problem.text}" for problem in caught.value.problems]


def test_stages_and_what_stands_before_them() -> None:
    text = "ARG V=1 W\nfrom --platform=linux/arm64 base as One\nRUN a\nFROM one\nCOPY --from=One a b\n"
    read = parse_dockerfile(text, "t.j2")
    assert [arg.pairs for arg in read.arguments] == [(("V", "1"), ("W", None))]
    first, second = read.stages
    assert (first.start.image, first.start.name, first.start.platform) == ("base", "one", "linux/arm64")
    assert (second.start.image, second.start.name, second.number) == ("one", None, 1)
    assert [run.where.first for run in read.runs] == [3]


def test_places_of_names_can_be_found_in_the_file_again() -> None:
    text = '  FROM \\\n  # a comment\n   --platform=linux/arm64 base\nCOPY --chown=1 \\\n --from="x" a b\n'
    stage = parse_dockerfile(text, "t.j2").stages[0]
    (copy,) = stage.instructions
    assert isinstance(copy, Copy)
    assert copy.stage_at is not None
    lines = text.splitlines()
    line, column = stage.start.image_at
    assert lines[line - 1][column:].startswith("base")
    line, column = copy.stage_at
    assert lines[line - 1][column:].startswith('"x"')


def test_continuation_lines_comments_and_empty_lines_are_one_instruction() -> None:
    each = _one('LABEL a=1 \\\n  # why\n\n  b="two \\\n  words" \\  \n  c=3\n')
    assert isinstance(each, Label)
    assert each.pairs == (("a", "1"), ("b", '"two   words"'), ("c", "3"))
    assert (each.where.first, each.where.last) == (2, 7)


def test_an_escaped_escape_does_not_continue_a_line() -> None:
    stage = parse_dockerfile("FROM scratch\nENV a=b\\\\\nENV c=d\n", "t.j2").stages[0]
    assert len(stage.instructions) == 2


def test_the_escape_directive_and_windows_line_ends() -> None:
    text = "# syntax=docker/dockerfile:1.7\r\n# escape=`\r\nFROM scratch\r\nENV a=c:\\ `\r\n  b=2\r\n"
    read = parse_dockerfile(text, "t.j2")
    assert read.escape == "`"
    (each,) = read.stages[0].instructions
    assert isinstance(each, Env)
    assert each.pairs == (("a", "c:\\"), ("b", "2"))


def test_a_directive_behind_an_instruction_or_comment_is_a_comment() -> None:
    assert parse_dockerfile("# a comment\n# escape=`\nFROM scratch\n", "t").escape == "\\"
    assert parse_dockerfile("FROM scratch\n# escape=`\n", "t").escape == "\\"


def test_both_forms_of_env_and_label() -> None:
    env = _one("ENV path  a  b ")
    assert isinstance(env, Env)
    assert env.pairs == (("path", "a  b"),)
    label = _one("LABEL \"a b\"='c d' e=f\\ g h=")
    assert isinstance(label, Label)
    assert label.pairs == (('"a b"', "'c d'"), ("e", "f\\ g"), ("h", ""))


def test_json_and_shell_forms() -> None:
    cases = {
        'CMD ["a", "b\\u0041"]': Words(for_shell=False, words=("a", "bA")),
        "CMD []": Words(for_shell=False, words=()),
        "CMD a  'b' $c": Words(for_shell=True, words=("a  'b' $c",)),
        "CMD [ -f /x ]": Words(for_shell=True, words=("[ -f /x ]",)),
    }
    for text, wanted in cases.items():
        each = _one(text)
        assert isinstance(each, Cmd)
        assert each.command == wanted
    volume, shell = _one('VOLUME ["/a b"]'), _one('SHELL ["/bin/x", "-c"]')
    assert isinstance(volume, Volume)
    assert volume.paths == ("/a b",)
    assert isinstance(shell, Shell)
    assert shell.words == ("/bin/x", "-c")


def test_flags_of_copy() -> None:
    each = _one("COPY --chown=1:2 --chmod=0644 --link --exclude=*.md --exclude=b -- --odd /to/\n")
    assert isinstance(each, Copy)
    assert (each.chown, each.chmod, each.link, each.exclude) == ("1:2", "0644", True, ("*.md", "b"))
    assert (each.sources, each.target) == (("--odd",), "/to/")


def test_here_documents() -> None:
    each = _one("COPY a <<EOF <<-'RAW' /to/\nx $y\nEOF\n\t\tkept $z\n\tRAW\n")
    assert isinstance(each, Copy)
    assert each.sources == ("a",)
    assert [(doc.name, doc.text, doc.expand) for doc in each.heredocs] == [
        ("EOF", "x $y\n", True),
        ("RAW", "kept $z\n", False),
    ]
    assert (each.where.first, each.where.last) == (2, 6)


def test_a_here_document_of_run_is_no_instruction() -> None:
    each = _one("RUN <<EOF\nCOPY a b\nEOF\n")
    assert isinstance(each, Run)
    assert each.heredocs[0].text == "COPY a b\n"


def test_healthcheck() -> None:
    each = _one("HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=1.5h --retries=2 CMD test -f /x")
    assert isinstance(each, Healthcheck)
    assert (each.interval, each.timeout, each.start_period, each.retries) == (
        90 * 10**9,
        5 * 10**8,
        5400 * 10**9,
        2,
    )
    none = _one("healthcheck none")
    assert isinstance(none, Healthcheck)
    assert none.command is None


def test_add_says_what_is_fetched() -> None:
    each = _one("ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false https://example.org/x /x")
    assert isinstance(each, Add)
    assert (each.checksum, each.keep_git_dir, each.unpack) == ("sha256:00", True, False)


def test_all_problems_come_out_at_once_each_with_its_line() -> None:
    text = (
        "COPI a b\nENV x=1\nFROM a b c\nCPY a b\nCOPY --chwon=1 a b\nCOPY a\nLABEL a=1 b\n"
        "COPY --chmod=999 a b\nHEALTHCHECK --interval=5 CMD x\nSHELL a\nENV x\nCOPY <<X /a\nnever\n"
    )
    assert _problems(text) == [
        "1: unknown instruction COPI; is 'COPY' meant?",
        "2: ENV before the first FROM: only ARG can stand there",
        "3: FROM wants an image, and maybe `AS name`",
        "4: unknown instruction CPY; is 'COPY' meant?",
        "5: COPY has no flag --chwon; is 'chown' meant?",
        "6: COPY wants a source and a target",
        "7: LABEL: 'b' is no NAME=value",
        "8: --chmod=999 is no mode",
        "9: '5' is no duration",
        "10: SHELL wants a JSON array",
        "11: ENV x has no value",
        "12: the here-document <<X has no end: a line with X alone",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no FROM"),
        ("ARG a\n", "no FROM"),
        ("# escape=x\nFROM scratch\n", "escape is 'x'"),
        ("# escape=`\n# escape=`\nFROM scratch\n", "twice"),
        ("# syntax=example.org/other:1\nFROM scratch\n", "another language"),
        ("FROM scratch AS 1a\n", "no name for a stage"),
        ("FROM scratch AS a\nFROM scratch AS A\n", "there already, from line 1"),
        ("FROM scratch\nCOPY --from=a --from=b x y\n", "--from twice"),
        ("FROM scratch\nCOPY --from= x y\n", "no value"),
        ("FROM scratch\nCOPY --from x y\n", "no value"),
        ("FROM scratch\nCOPY --link=maybe x y\n", "neither true nor false"),
        ('FROM scratch\nCMD ["a", 1]\n', "other things than strings"),
        ("FROM scratch\nVOLUME [a]\n", "no JSON"),
        ("FROM scratch\nCMD --x a\n", "CMD has no flag --x"),
        ("FROM scratch\nHEALTHCHECK --retries=0 CMD a\n", "from 1"),
        ("FROM scratch\nHEALTHCHECK --interval=1us CMD a\n", "less than 1ms"),
        ("FROM scratch\nHEALTHCHECK x\n", "wants CMD"),
        ("FROM scratch\nHEALTHCHECK NONE x\n", "nothing more"),
        ("FROM scratch\nARG 1=2\n", "no name for an argument"),
        ("FROM scratch\nENV =2\n", "has no name"),
        ("FROM scratch\nWORKDIR\n", "without a folder"),
        ("FROM scratch\nCMD\n", "without a command"),
        ("FROM scratch\nCOPY --from=x <<A /\nA\n", "no here-document"),
    ],
)
def test_refused(text: str, why: str) -> None:
    assert why in "\n".join(_problems(text))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="FROM scratchCOPYAENV<>-=\"'[]{}$\\#\n\t :/`,x1", max_size=80))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with suppress(BadDockerfile):  # and nothing else
        assert parse_dockerfile(f"FROM scratch\n{text}", "t").stages
