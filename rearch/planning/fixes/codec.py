"""ugorji/codec and newer base64."""

from __future__ import annotations

from rearch.model.recipe import Edit
from rearch.planning.fixes.known import KnownFix

CODEC_BASE64 = KnownFix(
    name="codec-base64",
    summary="ugorji/codec of about 2016 panics at start with Go 1.22 and newer",
    about="""The code generator of github.com/ugorji/go/codec makes, when the program starts, a base64 alphabet
whose last two characters are both `_`. Since Go 1.22 base64.NewEncoding panics when a character stands there
twice. The alphabet only turns type names into identifiers in generated code, which a compiled program does not
do; the edit makes the last character a `-`. Go 1.21 cures it too.""",
    tried="programs with the same variable, compiled and started with Go 1.27",
    symptom=r"encoding alphabet (?:includes|contains) duplicate symbols",
    edits=(
        Edit(
            file="**/codec/gen.go",
            pattern=r'(NewEncoding\(\s*"[A-Za-z]{52}[0-9]{10}_)_(")',
            replace=r"\1-\2",
            count=1,
            why="base64.NewEncoding of Go 1.22 and newer panics when its alphabet holds a character twice",
        ),
    ),
)
