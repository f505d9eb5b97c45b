"""/proc/cpuinfo without "model name"."""

from __future__ import annotations

from rearch.model.recipe import Edit
from rearch.planning.fixes.known import KnownFix

_PATTERN = (
    r"(?P<loop>for\s+_,\s*(?P<line>\w+)\s*:=\s*range\s+(?P<lines>\w+)\s*\{\n"
    r'(?:.*\n){0,8}?.*"model name".*\n(?:.*\n){0,40}?)'
    r"(?P<indent>[ \t]*)(?P<use>\S.*=\s*(?P<list>\w+)\[0\][ \t]*)$"
)
_REPLACE = r"""\g<loop>\g<indent>if len(\g<list>) == 0 {
\g<indent>	for _, \g<line> := range \g<lines> {
\g<indent>		if strings.HasPrefix(\g<line>, "processor") {
\g<indent>			\g<list> = append(\g<list>, "unknown")
\g<indent>		}
\g<indent>	}
\g<indent>}
\g<indent>if len(\g<list>) == 0 {
\g<indent>	\g<list> = append(\g<list>, "unknown")
\g<indent>}
\g<indent>\g<use>"""

CPUINFO_ARM = KnownFix(
    name="cpuinfo-arm",
    summary="Rancher's Go agent takes the first `model name` of /proc/cpuinfo, and 64-bit ARM has none",
    about="""github.com/rancher/agent, core/hostInfo/cpu_info_unix.go, collects the lines of /proc/cpuinfo whose
key is `model name` and takes element 0 of the list. 64-bit ARM kernels print no such line, so the agent panics
with `index out of range`. The edit counts the `processor` lines instead when the list is empty, with the model
name `unknown`. (An environment where neither is there counts as one processor.) The clock stays unset, as the
file does not say it.""",
    tried="generated files of that shape, compiled with Go 1.27; upstream's file was read, not built",
    symptom=r"index out of range(?: \[0\] with length 0)?[\s\S]{0,2000}?(?:getCPUInfo|cpu_info_unix\.go)",
    edits=(
        Edit(
            file="**/cpu_info_unix.go",
            pattern=_PATTERN,
            replace=_REPLACE,
            count=1,
            why="64-bit ARM kernels print no `model name`, and element 0 of an empty list panics",
        ),
    ),
)
