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
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from rearch.model.key import outside_key
from rearch.model.platform import Platform
from rearch.model.source import DebianPackage, PinnedSource

if TYPE_CHECKING:
    # Models of YAML: whoever only performs steps reads none, and making them takes a tenth of a second.
    from rearch.model.image import Accounts, Directory
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PypiOrigin:
    """A wheel. `package` and `version` are what pip is asked for."""

    package: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOrigin:
    """An archive by hash; `strip` leading folders are dropped."""

    url: str = field(metadata=outside_key("the sha256 names its content"))
    sha256: str
    strip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemOrigin:
    """The host's own compiler. `identity` is what it says of its version, and must change when it changes."""

    path: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainInputs:
    """`kind` is go, zig or gcc; `version` the compiler's, as in 1.27.0."""

    name: str = field(metadata=outside_key("a name of ours; the origin says what it is"))
    kind: str
    version: str
    host: Platform
    origin: PypiOrigin | ArchiveOrigin | SystemOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchInputs:
    source: PinnedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A named set of edits that ships with rearch, as it was when the plan was made."""

    name: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchInputs:
    """`place` is the path below gopath/src. `folder` is the stack's, for reading the patch files."""

    place: str
    patches: tuple[PatchFile, ...]
    fuzz: int
    fixes: tuple[Fix, ...]
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateInputs:
    """Commands run in `gopath/src/<place>/<directory>`; the first word `go` is the toolchain's."""

    place: str
    directory: str
    commands: tuple[tuple[str, ...], ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesInputs:
    """`proxy` and `sumdb` say where from; go.sum, part of the source, says what."""

    place: str
    directory: str
    proxy: str = field(metadata=outside_key("go.sum names the content by hash"))
    sumdb: str = field(metadata=outside_key("go.sum names the content by hash"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SysrootInputs:
    packages: tuple[DebianPackage, ...]
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileInputs:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyInputs:
    """`link` is static, dynamic or any; `names` the binaries."""

    platform: Platform
    names: tuple[str, ...]
    link: str
    glibc: str | None
    libraries: tuple[str, ...] | None
    go: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeInputs:
    """`emulator` is None on the platform itself, `missing` where there is none, else the program's name."""

    platform: Platform
    checks: tuple[Smoke, ...]
    emulator: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOrigin:
    """An image of a registry: `digest` is that of the manifest for the platform."""

    reference: str = field(metadata=outside_key("the digest names its content"))
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOrigin:
    """An image on disk: `path` relative to the project, `ref` the name inside, `digest` of the file or the layout."""

    path: str = field(metadata=outside_key("the digest names its content"))
    kind: Literal["layout", "archive"]
    ref: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianOrigin:
    """Debian packages and what their scripts would have done. `time` is what files that we make are dated.

    `suite` is the release, which says whether /bin and the like are links into /usr.
    """

    suite: str = ""
    packages: tuple[DebianPackage, ...]
    accounts: Accounts
    links: Mapping[str, str]
    directories: Mapping[str, Directory]
    ca_certificates: bool
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseInputs:
    """What an image starts from."""

    platform: Platform
    origin: RegistryOrigin | DiskOrigin | DebianOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """Something in the build context, under `place`.

    `path` is relative to the `files/` folder of the step in role `role`, or, where that is None, to the project; then
    `digest` is its digest (formats/tree.py, path_digest).
    """

    place: str
    path: str
    role: str | None
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """One image for one platform. All texts are final.

    `template` is where the text can be read: errors name its lines. `stages` maps names that FROM can use to roles in
    `needs`; what is not there is no image, but for scratch. `engine` is where the docker builder works, empty for the
    environment's.
    """

    platform: Platform
    builder: str
    dockerfile: str
    template: str = field(metadata=outside_key("where the text is left for people; the text itself is in the key"))
    engine: str = field(metadata=outside_key("where it is built, not what"))
    args: Mapping[str, str]
    stages: Mapping[str, str]
    context: tuple[ContextFile, ...]
    annotations: Mapping[str, str]
    media_types: Literal["oci", "docker"]
    compression: Literal["gzip", "zstd"]
    source_date_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditInputs:
    """`allowed`: pattern of paths -> the reason why that file may be of another architecture."""

    platform: Platform
    allowed: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSmokeInputs:
    """Commands in the image's own file tree. `emulator` as in SmokeInputs."""

    platform: Platform
    checks: tuple[Smoke, ...]
    emulator: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInputs:
    """The index over the images of the roles `image <platform>`; `tag` is its name in the layout."""

    repository: str
    tag: str
    platforms: tuple[Platform, ...]
    annotations: Mapping[str, str]
    media_types: Literal["oci", "docker"]


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


@dataclass(frozen=True, slots=True, order=True)
class StepId:
    """Which step: unique in a plan. `subject` is `stack/component`, or a toolchain's name.

    The text is made once, for it is hashed and looked up many times in the plan of a large project.
    """

    kind: StepKind
    subject: str
    platform: Platform | None = None
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = f"{self.kind.value} {self.subject}" + (f" {self.platform}" if self.platform else "")
        object.__setattr__(self, "_text", text)

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return self._text


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`needs` names by role the steps whose results this one reads: source, go, cc, sysroot, modules, binaries."""

    id: StepId
    inputs: Inputs
    needs: Mapping[str, StepId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file of a result. `path` is relative to its `files/`; size in bytes; `digest` sha256, hexadecimal.

    `target` is set for a symbolic link, whose digest is that of the target's text.
    """

    path: str
    size: int
    digest: str
    mode: int
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step left in the store. `facts` is what it found out, in JSON values."""

    key: str
    kind: StepKind
    artifacts: tuple[Artifact, ...]
    facts: Mapping[str, Any]
