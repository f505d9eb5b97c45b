"""What a stack says of a bundle: which program stands where in it, and what may stay as it is."""

from __future__ import annotations

from pydantic import Field

from rearch.model.base import FileName, FullText, Model, Name


class BundleReplace(Model):
    """One program of a bundle."""

    path: FullText = Field(
        description="Path in the bundle without its root folder, or a pattern (`bin/*`; `*` stands for slashes too)."
    )
    component: Name = Field(description="Component of this stack.")
    binary: FileName = Field(description="One of its binaries.")


class BundleSettings(Model):
    """How `bundle refit` treats the archives of one name. Without a rule the Go main package decides, then the name."""

    replace: tuple[BundleReplace, ...] = Field(default=(), description="Programs that nothing else tells.")
    allow: tuple[FullText, ...] = Field(
        default=(), description="Patterns of paths whose ELF files may stay as they are, whatever machine they are for."
    )
