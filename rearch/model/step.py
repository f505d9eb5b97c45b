"""Steps: one action of one kind on one subject for one platform, pure in its inputs.

What each kind leaves in the `files/` folder of its result (paths below are relative to it):

| kind | files |
|---|---|
| toolchain | `go/` (a GOROOT) or `zig/` (with the zig program); of a system toolchain a link to it |
| fetch | `source/` (the tree as upstream has it), `gopath/src/...` (golang-*-dev packages; debian only) |
| patch | `gopath/src/<import path or name>/` patched, beside the packages above |
| generate | the same, after the generate commands |
| modules | `modcache/` (a GOMODCACHE), empty where nothing has to be downloaded |
| sysroot | `sysroot/` (foreign Debian packages, unpacked) |
| compile | `bin/<name>`: the binaries and links |
| verify | nothing; facts only |
| smoke | nothing; facts only |
| base | an OCI layout with one image: `oci-layout`, `index.json`, `blobs/sha256/...` |
| image | the same, base included |
| audit | nothing; facts only |
| image-smoke | nothing; facts only |
| index | an OCI layout with the index and all that it names |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct
from msgspec.structs import force_setattr

from rearch.model.key import outside_key
from rearch.model.platform import Platform
from rearch.model.source import DebianPackage, PinnedSource
from rearch.model.step_images import AuditInputs, BaseInputs, ImageInputs, ImageSmokeInputs, IndexInputs

if TYPE_CHECKING:
    # Models of YAML: whoever only performs steps reads none, and making them takes a tenth of a second.
    from rearch.model.recipe import Edit
    from rearch.model.smoke import Smoke
    from rearch.model.stack import PatchFile


class StepKind(StrEnum):
    """In the order in which a component meets them."""

    TOOLCHAIN = "toolchain"
    FETCH = "fetch"
    PATCH = "patch"
    GENERATE = "generate"
    MODULES = "modules"
    SYSROOT = "sysroot"
    COMPILE = "compile"
    VERIFY = "verify"
    SMOKE = "smoke"
    BASE = "base"
    IMAGE = "image"
    AUDIT = "audit"
    IMAGE_SMOKE = "image-smoke"
    INDEX = "index"

    @property
    def is_goal(self) -> bool:
        """Whether a build is asked for this result itself, and not only for what reads it."""
        return self in _GOALS

    @property
    def checks(self) -> str | None:
        """The role of what a check looks at; None for a step that makes something."""
        return _CHECKED.get(self)


_GOALS = frozenset(
    [
        StepKind.COMPILE,
        StepKind.VERIFY,
        StepKind.SMOKE,
        StepKind.IMAGE,
        StepKind.AUDIT,
        StepKind.IMAGE_SMOKE,
        StepKind.INDEX,
    ]
)


_CHECKED = {
    StepKind.VERIFY: "binaries",
    StepKind.SMOKE: "binaries",
    StepKind.AUDIT: "image",
    StepKind.IMAGE_SMOKE: "image",
}


class PypiOrigin(Struct, frozen=True, kw_only=True):
    """A wheel. `package` and `version` are what pip is asked for."""

    package: str
    version: str
    sha256: str


class ArchiveOrigin(Struct, frozen=True, kw_only=True):
    """An archive by hash; `strip` leading folders are dropped."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(url="the sha256 names its content")

    url: str
    sha256: str
    strip: int


class SystemOrigin(Struct, frozen=True, kw_only=True):
    """The host's own compiler. `identity` is what it says of its version, and must change when it changes."""

    path: str
    identity: str


class ToolchainInputs(Struct, frozen=True, kw_only=True):
    """`kind` is go, zig or gcc; `version` the compiler's, as in 1.27.0. `everywhere`: a digest of what is pinned for
    all hosts; empty for the host's own."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(
        name="a name of ours; the origin says what it is",
        everywhere="for inputs digests (planning/inputs.py); the origin says what this host has",
    )

    name: str
    kind: str
    version: str
    host: Platform
    origin: PypiOrigin | ArchiveOrigin | SystemOrigin
    everywhere: str = ""


class FetchInputs(Struct, frozen=True, kw_only=True):
    source: PinnedSource


class Fix(Struct, frozen=True, kw_only=True):
    """A named set of edits that ships with rearch, as it was when the plan was made."""

    name: str
    edits: tuple[Edit, ...]


class PatchInputs(Struct, frozen=True, kw_only=True):
    """`place` is the path below gopath/src. `folder` is the stack's, for reading the patch files."""

    place: str
    patches: tuple[PatchFile, ...]
    fuzz: int
    fixes: tuple[Fix, ...]
    edits: tuple[Edit, ...]


class GenerateInputs(Struct, frozen=True, kw_only=True):
    """Commands run in `gopath/src/<place>/<directory>`; the first word `go` is the toolchain's."""

    place: str
    directory: str
    commands: tuple[tuple[str, ...], ...]
    env: Mapping[str, str]


class ModulesInputs(Struct, frozen=True, kw_only=True):
    """`proxy` and `sumdb` say where from; go.sum, part of the source, says what."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(
        proxy="go.sum names the content by hash", sumdb="go.sum names the content by hash"
    )

    place: str
    directory: str
    proxy: str
    sumdb: str


class SysrootInputs(Struct, frozen=True, kw_only=True):
    packages: tuple[DebianPackage, ...]
    platform: Platform


class CompileInputs(Struct, frozen=True, kw_only=True):
    """One `go build`. All texts are final: no `${{ }}` is left in them.

    `layout` is None where it is to be detected; `cgo_kind` is None (CGO_ENABLED=0), "zig" or "gcc".
    """

    platform: Platform
    go_version: str
    requires: str | None
    place: str
    layout: str | None
    directory: str
    binaries: Mapping[str, str]
    links: Mapping[str, str]
    tags: tuple[str, ...]
    ldflags: tuple[str, ...]
    stamps: Mapping[str, str]
    strip: bool
    env: Mapping[str, str]
    cgo_kind: str | None
    cgo_link: str | None
    source_date_epoch: int


class VerifyInputs(Struct, frozen=True, kw_only=True):
    """`link` is static, dynamic or any; `names` the binaries."""

    platform: Platform
    names: tuple[str, ...]
    link: str
    glibc: str | None
    libraries: tuple[str, ...] | None
    go: bool = True


class SmokeInputs(Struct, frozen=True, kw_only=True):
    """`emulator` is None on the platform itself, `missing` where there is none, else the program's name."""

    platform: Platform
    checks: tuple[Smoke, ...]
    emulator: str | None


Inputs = (
    ToolchainInputs
    | FetchInputs
    | PatchInputs
    | GenerateInputs
    | ModulesInputs
    | SysrootInputs
    | CompileInputs
    | VerifyInputs
    | SmokeInputs
    | BaseInputs
    | ImageInputs
    | AuditInputs
    | ImageSmokeInputs
    | IndexInputs
)


class StepId(Struct, frozen=True, order=True, cache_hash=True):
    """Which step: unique in a plan. `subject` is `stack/component`, or a toolchain's name.

    The text is made once, for it is hashed and looked up many times in the plan of a large project.
    """

    kind: StepKind
    subject: str
    platform: Platform | None = None
    _text: str = ""

    def __post_init__(self) -> None:
        text = f"{self.kind.value} {self.subject}" + (f" {self.platform}" if self.platform else "")
        force_setattr(self, "_text", text)

    def __str__(self) -> str:
        return self._text


class Step(Struct, frozen=True, kw_only=True):
    """`needs` names by role the steps whose results this one reads: source, go, cc, sysroot, modules, binaries."""

    id: StepId
    inputs: Inputs
    needs: Mapping[str, StepId]


class Artifact(Struct, frozen=True, kw_only=True):
    """A file of a result. `path` is relative to its `files/`; size in bytes; `digest` sha256, hexadecimal.

    `target` is set for a symbolic link, whose digest is that of the target's text.
    """

    path: str
    size: int
    digest: str
    mode: int
    target: str | None = None


class Result(Struct, frozen=True, kw_only=True):
    """What a step left in the store. `facts` is what it found out, in JSON values."""

    key: str
    kind: StepKind
    artifacts: tuple[Artifact, ...]
    facts: Mapping[str, Any]
