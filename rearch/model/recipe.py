"""The recipe: how one component is fetched, patched, compiled and checked."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from rearch.model.base import (
    Count,
    Fault,
    FileName,
    Flag,
    FrozenMap,
    FullText,
    Model,
    Name,
    Package,
    PlatformName,
    RelativePath,
    Says,
    Text,
    Variable,
    Versions,
    kind_of,
    refuse,
)
from rearch.model.debian_names import DebianName, DebianVersion
from rearch.model.frozen import NOTHING
from rearch.model.go_flags import own_linker_flags, own_variable
from rearch.model.image import Image
from rearch.model.smoke import Regex, Smoke
from rearch.model.watch import Watch


def _sha256(value: str) -> str:
    text = value.lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("a sha256 has 64 hexadecimal digits")
    return text


def _glibc(value: str) -> str:
    if not re.fullmatch(r"2\.[0-9]{1,3}", value):
        raise ValueError("a version of glibc is wanted, as in 2.28")
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"(?:https?://|file:/)[^\x00-\x20\x7f]+", value):
        raise ValueError("the URL of a file to download begins with https://, http:// or file:///, and has no blanks")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256), Says("sha256", "^(sha256:)?[0-9A-Fa-f]{64}$")]
Glibc = Annotated[str, AfterValidator(_glibc), Says("version of glibc (`2.28`)", r"^2\.[0-9]{1,3}$")]
Url = Annotated[str, AfterValidator(_url), Says("URL (https, http or file)", "^(https?://|file:/)")]
OwnVariable = Annotated[Variable, AfterValidator(own_variable)]


class GitSource(Model):
    """A commit of a git repository; the name is resolved once, into rearch.lock."""

    git: FullText = Field(description="URL of the repository: https, ssh, or file.")
    ref: FullText = Field(description="Tag, branch or full commit. A tag that moves later is an error.")
    submodules: Flag = Field(default=False, description="Fetch the submodules too, recursively.")


class ArchiveSource(Model):
    """A file to download: tar (gz, xz, bz2, zst or plain) or zip."""

    archive: Url = Field(description="URL of the file: https, http, or file.")
    sha256: Sha256 = Field(description="Its sha256; checked before the file gets its name.")
    strip: Count = Field(default=1, description="Leading folders to drop from every path.", le=8)


class DebianSource(Model):
    """A Debian source package, through the host's own apt configuration."""

    debian: DebianName = Field(description="Name of the source package.")
    version: DebianVersion | None = Field(
        default=None, description="Exact Debian version; left out: what apt offers, then as locked."
    )


class LocalSource(Model):
    """A folder of the project itself, for components of one's own."""

    path: RelativePath = Field(description="Folder, relative to the recipe's own.")


Source = Annotated[
    Annotated[GitSource, Tag("git")]
    | Annotated[ArchiveSource, Tag("archive")]
    | Annotated[DebianSource, Tag("debian")]
    | Annotated[LocalSource, Tag("path")],
    Discriminator(
        kind_of("git", "archive", "debian", "path"),
        custom_error_type="source_kind",
        custom_error_message="a source has one of the keys git, archive, debian, path",
    ),
]


def _misfit(pattern: str, replace: str) -> str | None:
    """Why a replacement does not fit a pattern; only one with a backslash can be wrong.

    It is tried on a pattern with the same groups, all empty: matching the pattern itself can take for ever.
    """
    if "\\" not in replace:
        return None
    groups = re.compile(pattern, re.MULTILINE)
    names = {number: name for name, number in groups.groupindex.items()}
    numbers = range(1, groups.groups + 1)
    try:
        re.sub("".join(f"(?P<{names[number]}>)" if number in names else "()" for number in numbers), replace, "")
    except (re.error, IndexError) as error:
        known = (*(f"\\{number}" for number in numbers), *(f"\\g<{name}>" for name in groups.groupindex))
        return f"{error}; the pattern has {', '.join(known) or 'no groups'}, and a backslash itself is written \\\\"
    return None


class Edit(Model):
    """A counted replacement in one file. It fails, with the nearest lines, when the count is off."""

    file: RelativePath = Field(description="File in the source tree; `*` and `**` match several.")
    pattern: Regex = Field(description="What to find; `^` and `$` match at line ends.")
    replace: Text = Field(description="Replacement; `\\1` and `\\g<name>` are groups.")
    count: Count = Field(default=1, ge=1, description="How often the pattern must match, in all files together.")
    why: FullText = Field(description="The reason, for the next reader and for the plan.")

    @model_validator(mode="after")
    def _groups(self) -> Edit:
        problem = _misfit(self.pattern, self.replace)
        if problem:
            refuse([Fault(("replace",), problem, needs=(("pattern",), ("replace",)))])
        return self


class Patches(Model):
    """How the quilt series `patches/<component>/series` is applied."""

    strip: Count = Field(default=1, le=8, description="Folders to drop from paths, where series has no -p.")
    fuzz: Count = Field(default=0, le=3, description="Context lines that may differ. More than 0 is a risk.")


class Cgo(Model):
    """C code in the build: which C toolchain, and what it links with."""

    toolchain: Name = Field(description="A toolchain of kind zig or gcc.")
    packages: tuple[DebianName, ...] = Field(
        default=(), description="Debian packages of the target architecture to unpack as the sysroot (gcc only)."
    )
    link: Literal["static", "dynamic"] = Field(default="static", description="How the result is linked.")


class GoBuild(Model):
    """One `go build`: which packages become which files."""

    layout: Literal["gopath", "module"] | None = Field(
        default=None, description="Left out: module if the source has a go.mod, else gopath."
    )
    import_path: Package | None = Field(
        default=None, description="Where the source belongs under GOPATH/src; needed for gopath."
    )
    directory: RelativePath = Field(default=".", description="Sub-folder that holds the go.mod.")
    binaries: FrozenMap[FileName, Package] = Field(
        description="Output name: package, relative to `directory`. `{}`: nothing is compiled, there is only an image."
    )
    links: FrozenMap[FileName, FileName] = Field(default=NOTHING, description="Link name: output that it points to.")
    tags: tuple[Text, ...] = Field(default=(), description="Build tags.")
    ldflags: Annotated[tuple[Text, ...], AfterValidator(own_linker_flags)] = Field(
        default=(), description="Linker flags, after rearch's own; none that makes the linker write other files."
    )
    stamps: FrozenMap[Text, Text] = Field(
        default=NOTHING,
        description="Variable: text, set with -X. The variable must exist and the text must be in the binary.",
    )
    strip: Flag = Field(default=True, description="Leave out symbols and DWARF (-s -w).")
    env: FrozenMap[OwnVariable, Text] = Field(
        default=NOTHING, description="More environment for the compiler; nothing that rearch sets itself."
    )
    cgo: Cgo | None = Field(default=None, description="Left out: CGO_ENABLED=0.")
    generate: tuple[tuple[Text, ...], ...] = Field(
        default=(), description="Commands to run in the source on the build host before compiling."
    )
    requires: Versions | None = Field(default=None, description="Versions of Go that can compile this.")

    @model_validator(mode="after")
    def _links(self) -> GoBuild:
        faults = []
        for link, target in self.links.items():
            if link in self.binaries:
                faults.append(Fault(("links", link), f"{link} is a binary already"))
            if target not in self.binaries:
                text = f"{target} is none of the binaries: {', '.join(self.binaries)}"
                faults.append(Fault(("links", link), text, needs=(("binaries",),)))
        refuse(faults)
        return self


class Build(Model):
    """How the component is compiled."""

    toolchain: Name = Field(description="A file of toolchains/, without .yaml.")
    go: GoBuild = Field(description="The Go programs to build.")


class Check(Model):
    """What a binary must be, beyond its architecture."""

    link: Literal["static", "dynamic", "any"] | None = Field(
        default=None, description="Left out: static without cgo, else as cgo.link says."
    )
    glibc: Glibc | None = Field(default=None, description="Highest glibc whose symbols may be used.")
    libraries: tuple[Text, ...] | None = Field(
        default=None, description="Shared libraries that may be needed; left out: any."
    )


class Recipe(Model):
    """One component."""

    name: Name = Field(description="Name of the component; the file is called <name>.yaml.")
    summary: FullText = Field(description="What it is, in a line.")
    version: FullText | None = Field(
        default=None, description="Version; may be left out for a debian source, which then says it."
    )
    vars: FrozenMap[Variable, Text] = Field(default=NOTHING, description="Names for ${{ vars.NAME }}.")
    source: Source = Field(description="Where the code comes from.")
    watch: Watch | None = Field(default=None, description="Which versions of upstream `outdated` and `bump` look at.")
    patch: Patches = Field(default_factory=Patches, description="How patches/<component>/series is applied.")
    fixes: tuple[Name, ...] = Field(default=(), description="Known ills to cure: see `invoke fixes`.")
    edits: tuple[Edit, ...] = Field(default=(), description="Counted replacements, after the patches.")
    build: Build = Field(description="How it is compiled.")
    verify: Check = Field(default_factory=Check, description="What the binaries must be.")
    smoke: tuple[Smoke, ...] = Field(default=(), description="What they must do.")
    image: Image | None = Field(default=None, description="The image that is made of them; left out: none.")
    platforms: FrozenMap[PlatformName, Any] = Field(
        default=NOTHING,
        description="Platform: keys of this recipe that differ there, merged map by map. "
        "Only build, verify, smoke and image can differ: the source tree is shared.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Recipe:
        outputs = (*self.build.go.binaries, *self.build.go.links)
        faults = [
            Fault(
                ("smoke", index, "run", 0),
                f"smoke runs {check.run[0]}, which is none of {', '.join(outputs) or 'no binaries'}",
                needs=(("build", "go", "binaries"), ("build", "go", "links")),
            )
            for index, check in enumerate(self.smoke)
            if check.run[0] not in outputs
        ]
        if not self.build.go.binaries and self.image is None:
            text = "no binaries are built and no image is made: nothing would come of this recipe"
            path = ("build", "go", "binaries")
            faults.append(Fault(path, text, needs=(path, ("image",))))
        if self.version is None and not isinstance(self.source, DebianSource):
            text = "version is missing (only a debian source may leave it out)"
            faults.append(Fault((), text, needs=(("version",), ("source",))))
        refuse(faults)
        return self
