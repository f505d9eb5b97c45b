"""What `audit`, `validate` and `inspect` are pointed at: a layout, an archive, an image of output/, a reference."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.platform import PLATFORMS, Platform
from rearch.model.reference import BadReference, hide_login, parse_reference


class NoSuchTarget(UsageError):
    """What was named is neither a layout, an archive, an image of output/ nor a reference."""

    def __init__(self, target: str, images: Sequence[str]) -> None:
        self.target = hide_login(target)
        near = difflib.get_close_matches(target, images, n=1)
        known = f"output/images has {', '.join(images)}" if images else "output/images holds no image"
        super().__init__(f"there is no layout, archive or image {self.target}", (known,), hint=_hint(target, near))


def _hint(target: str, near: Sequence[str]) -> str:
    if near:
        return f"did you mean {near[0]}?"
    try:
        return f"if a registry has it, name that too: {parse_reference(target)}"
    except BadReference:
        return "name a folder, a file, an image of output/images, or a reference"


class Target(Struct, frozen=True, kw_only=True):
    """A layout to look at. `ref`: one name in it, empty for all. `repository`: of an image of output/, else empty."""

    layout: Path
    ref: str = ""
    repository: str = ""


def local_target(name: str, output: Path) -> Target | None:
    """A layout (`FOLDER` or `FOLDER:NAME`), or an image of output/ (`repository` or `repository:tag`); else None."""
    if (Path(name) / "index.json").is_file():
        return Target(layout=Path(name), repository=_repository(Path(name), output))
    folder, _, ref = name.rpartition(":")
    if folder and (Path(folder) / "index.json").is_file():
        return Target(layout=Path(folder), ref=ref, repository=_repository(Path(folder), output))
    repository, _, tag = name.partition(":")
    if not repository or not output.is_dir():
        return None
    from rearch.engine.images import place_of  # which brings the store, and is not needed for a registry's image

    layout = place_of(output, repository)
    if (layout / "index.json").is_file():
        return Target(layout=layout, ref=tag, repository=repository)
    return None


def _repository(layout: Path, output: Path) -> str:
    """The image of output/ that a folder is, however it was named; empty for a layout of somebody else's."""
    from rearch.engine.images import place_of

    images, folder = place_of(output, "").resolve(), layout.resolve()
    return str(folder.relative_to(images)) if folder.is_relative_to(images) and folder != images else ""


def image_names(output: Path) -> tuple[str, ...]:
    """The images of output/."""
    from rearch.engine.images import place_of

    root = place_of(output, "")
    return tuple(sorted(str(path.parent.relative_to(root)) for path in root.rglob("index.json")))


def is_reference(name: str) -> bool:
    """A registry is asked only for what names one: `debian:bookworm` may be a misspelt image of output/."""
    head, slash, _ = name.partition("/")
    return bool(slash) and ("." in head or ":" in head or head == "localhost")


def archive_layout(path: Path, platforms: Sequence[Platform] | None, folder: Path) -> Path:
    """The images of an archive on disk as a layout: each platform that was asked for, else all that are there."""
    from rearch.oci.disk_image import load_disk_image
    from rearch.oci.layout import start_layout, write_index_json
    from rearch.oci.layout_errors import NoSuchPlatform

    layout, images, missed = folder / "layout", [], None
    start_layout(layout)
    for platform in platforms or PLATFORMS:
        try:
            images.append(load_disk_image(path, "archive", "", platform, layout).descriptor)
        except NoSuchPlatform as error:
            if platforms:
                raise
            missed = error
    if not images and missed is not None:
        raise missed
    write_index_json(layout, images)
    return layout
