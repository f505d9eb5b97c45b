"""The modules step: what go.mod names, downloaded once, checked against go.sum, for all platforms."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from rearch.errors import StepError, TemporaryError, VerificationError
from rearch.model.command import Command, Completed
from rearch.model.step import ModulesInputs
from rearch.steps.compile_environment import GoTool, base_environment, go_tool, prepare_folders
from rearch.steps.compile_errors import first_lines
from rearch.steps.compile_tree import Tree, find_source
from rearch.steps.ports import Outcome, Workspace

# What Go's HTTP client and git read of the environment (net/http.ProxyFromEnvironment, crypto/x509), by name.
_NETWORK: tuple[str, ...] = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_NETWORK += ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "NETRC")

_MISMATCH = re.compile(r"SECURITY ERROR|checksum mismatch|verifying .*: (?:go\.sum|checksum)")
_NO_ANSWER = re.compile(
    r"dial tcp|i/o timeout|no such host|connection re(?:fused|set)|TLS handshake timeout|unexpected EOF|proxyconnect"
    r"|context deadline exceeded|server misbehaving|x509:|: (?:429|5\d\d) [A-Z]|Could not resolve host",
)


class ModulesFailed(StepError):
    """A module does not exist, or go.mod is wrong."""

    def __init__(self, done: Completed) -> None:
        self.output = done.output
        super().__init__(
            "the modules that go.mod names cannot be had", first_lines(done.output), hint="check go.mod and `go.proxy`"
        )


class ModulesUnreachable(TemporaryError):
    """The module proxy does not answer."""

    def __init__(self, proxy: str, done: Completed) -> None:
        self.proxy = proxy
        self.output = done.output
        super().__init__(
            f"the module proxy does not answer: {proxy or 'the default one of Go'}",
            first_lines(done.output),
            hint="try again later, or set go.proxy in rearch.yaml (REARCH_GO_PROXY) to one that answers",
        )


class ModuleMismatch(VerificationError):
    """A module is not the one that go.sum names."""

    def __init__(self, done: Completed) -> None:
        self.output = done.output
        super().__init__(
            "a module is not what go.sum says",
            first_lines(done.output),
            hint="the proxy gave other content, or the tag was moved: find out which before you change go.sum",
        )


def run_modules(inputs: ModulesInputs, work: Workspace, environment: Mapping[str, str] = os.environ) -> Outcome:
    """Leave a GOMODCACHE in `modcache/`: empty for a GOPATH, a vendored tree, or a module without requirements.

    Of `environment` only proxies and certificates are passed on. A module that go.sum does not name is refused by the
    compile step, if it is used there (-mod=readonly).
    Needs: source, go. Facts: modules (`path@version`, sorted).
    Errors: ModulesFailed, ModulesUnreachable, ModuleMismatch.
    """
    cache = work.files / "modcache"
    cache.mkdir()
    tree = find_source(work.needs["source"], inputs)
    if not _wanted(tree):
        return Outcome(facts={"modules": []}, note="nothing to download")
    files = _copied_go_mod(tree.folder, work.scratch)
    go = go_tool(work.needs["go"], work.caches)
    base = base_environment(go, tree, prepare_folders(work)) | {"GOMODCACHE": str(cache.resolve())}
    env = download_environment(inputs, base, environment)
    done = work.run(download_command(go, tree, files, env))
    if done.exit != 0:
        raise _failure(inputs, done)
    modules = downloaded(cache)
    _clean(cache)
    return Outcome(facts={"modules": modules}, note=f"{len(modules)} modules")


def _wanted(tree: Tree) -> bool:
    if tree.layout != "module" or tree.mod == "vendor":
        return False
    text = (tree.folder / "go.mod").read_text(encoding="utf-8", errors="replace")
    return re.search(r"^\s*require\b", text, re.MULTILINE) is not None


def _copied_go_mod(folder: Path, scratch: Path) -> Path:
    """Copies that go may write to: the source is not to be touched, and go adds lines to go.sum."""
    for name in ("go.mod", "go.sum"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, scratch / name)
    return scratch / "go.mod"


def download_command(go: GoTool, tree: Tree, go_mod: Path, env: tuple[tuple[str, str], ...]) -> Command:
    """`go mod download` by a copy of go.mod; -modcacherw leaves folders that can be removed."""
    argv = (str(go.program), "mod", "download", f"-modfile={go_mod}", "-modcacherw")
    return Command(argv=argv, cwd=tree.folder, env=env)


def download_environment(
    inputs: ModulesInputs, base: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """The one go command with a network: proxy and sumdb are the settings', else Go's own defaults."""
    ours = {name: value for name, value in base.items() if name not in ("GOPROXY", "GOSUMDB", "GOVCS")}
    ours["GIT_TERMINAL_PROMPT"] = "0"
    ours |= {name: value for name, value in (("GOPROXY", inputs.proxy), ("GOSUMDB", inputs.sumdb)) if value}
    ours |= {name: environment[name] for name in _NETWORK if name in environment}
    return tuple(sorted(ours.items()))


def _failure(inputs: ModulesInputs, done: Completed) -> Exception:
    if _MISMATCH.search(done.output):
        return ModuleMismatch(done)
    if done.exit is None or _NO_ANSWER.search(done.output):
        return ModulesUnreachable(inputs.proxy, done)
    return ModulesFailed(done)


def downloaded(cache: Path) -> list[str]:
    """What is in a GOMODCACHE, by the .zip files of its download folder; names as the cache spells them."""
    root = cache / "cache" / "download"
    found = (path.relative_to(root) for path in root.glob("**/@v/*.zip"))
    return sorted(f"{path.parent.parent.as_posix()}@{path.stem}" for path in found)


def _clean(cache: Path) -> None:
    """Leave out what differs from run to run: locks, and the checksum database's answers."""
    for path in cache.glob("cache/**/*.lock"):
        path.unlink()
    (cache / "cache" / "lock").unlink(missing_ok=True)
    shutil.rmtree(cache / "cache" / "download" / "sumdb", ignore_errors=True)
    shutil.rmtree(cache / "cache" / "vcs", ignore_errors=True)
