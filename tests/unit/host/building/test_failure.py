"""What engines print when a build fails -> line and instruction."""

from __future__ import annotations

import pytest

from rearch.host.building.failure import BuildFailed, BuildWantsNetwork, cannot_run, failing, failure, instructions
from rearch.oci.dockerfile.parse import parse_dockerfile

DOCKERFILE = """# syntax=docker/dockerfile:1
FROM base AS one
RUN   make \\
      all
COPY --from=one /a /b

FROM one
RUN make all
RUN ["/check", "it"]
"""
LINES = instructions(parse_dockerfile(DOCKERFILE, "t"))

BUILDKIT_20 = """#5 [one 2/2] COPY --from=one /a /b
#5 sha256:c836751f2d670f79332554b18e44e9e0fccad318c7975a226296313172ecac7f
#5 ERROR: "/a" not found: not found
------
 > [one 2/2] COPY --from=one /a /b:
------
failed to compute cache key: "/a" not found: not found
"""
BUILDX = """#6 0.1 no rule
#6 ERROR: process "/bin/sh -c make all" did not complete successfully: exit code: 2
------
 > [stage-1 2/3] RUN make all:
0.1 no rule
------
Dockerfile:8
--------------------
   6 |
   7 |     FROM one
   8 | >>> RUN make all
--------------------
ERROR: failed to solve: process "/bin/sh -c make all" did not complete successfully: exit code: 2
"""
BUILDAH = """[1/2] STEP 1/3: FROM oci:stage0 AS one
[2/2] STEP 1/3: FROM 8d5e5a43aa4686bf
[2/2] STEP 3/3: RUN ["/check", "it"]
subprocess exited with status 3
Error: building at STEP "RUN /check it": exit status 3
"""
PARSE = "failed to solve with frontend dockerfile.v0: dockerfile parse error line 5: unknown flag: from\n"


@pytest.mark.parametrize(
    ("output", "line", "begins"),
    [
        (BUILDKIT_20, 5, "COPY --from=one"),
        (BUILDX, 8, "RUN make all"),
        (BUILDAH, 9, "RUN ["),
        (PARSE, 5, "COPY"),
        ("Cannot connect to the engine\n", 0, ""),
        (" > [one 1/1] COPY elsewhere:\n", 0, "COPY elsewhere"),
    ],
)
def test_the_failing_instruction(output: str, line: int, begins: str) -> None:
    number, text = failing(LINES, output)
    assert number == line
    assert text.startswith(begins)
    assert bool(text) is bool(begins)


def test_of_an_instruction_that_is_there_twice_no_line_is_claimed() -> None:
    assert failing(LINES, " > [one 2/3] RUN make all:\n") == (0, "RUN make all")


def test_the_error_has_line_instruction_and_the_end_of_the_output() -> None:
    error = failure("x.j2", LINES, "first\n" * 100 + BUILDX, 1)
    assert isinstance(error, BuildFailed)
    assert error.summary == "x.j2:8: RUN make all failed (exit 1)"
    assert len(error.details) == 20
    assert error.details[-1].startswith("ERROR: failed to solve")
    assert "------" not in "".join(error.details).replace("--------------------", "")


def test_a_build_that_was_stopped_says_so() -> None:
    assert "time limit" in failure("x.j2", LINES, "", None).summary


def test_a_registry_that_does_not_answer_is_temporary() -> None:
    output = 'failed to do request: Head "https://registry.example.org/v2/": dial tcp: no such host'
    error = failure("x.j2", LINES, output, 1)
    assert isinstance(error, BuildWantsNetwork)
    assert error.exit_code == 75


def test_a_network_error_of_run_is_the_runs_failure() -> None:
    output = " > [one 2/2] RUN make all:\ncurl: connection refused\n"
    assert isinstance(failure("x.j2", LINES, output, 1), BuildFailed)


@pytest.mark.parametrize(
    ("output", "is_it"),
    [
        ("standard_init_linux.go:228: exec user process caused: exec format error", True),
        ("/bin/sh: /tool: cannot execute binary file: Exec format error", True),
        ("exec /writer: no such file or directory", False),
    ],
)
def test_programs_of_another_cpu_are_known(output: str, is_it: bool) -> None:
    assert cannot_run(output) is is_it
