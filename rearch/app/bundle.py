"""`bundle`: archives that a server hands to its agents, read, refitted with what output/ holds, verified."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.request import Request
from rearch.bundle.names import is_called, is_rancher
from rearch.bundle.refit import refit_bundle
from rearch.bundle.scan import Scan, scan_bundle
from rearch.bundle.values import Program, RefitPlan, Refitted, Replace, Rules
from rearch.bundle.verify import Verdict, verify_scan
from rearch.engine.verified import NothingBuilt, verified_binaries
from rearch.errors import UsageError
from rearch.formats.hashing import sha256_file
from rearch.model.platform import Platform
from rearch.model.settings import Settings
from rearch.model.verified import VerifiedBinary

if TYPE_CHECKING:
    from rearch.model.stack import Component, Stack

FOLDER = "bundles"


class BundleOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `bundle` say.

    `archive`: a file or a folder; None with `server` (the address of its API) and `item`, whose archive is fetched.
    `platform`: a bundle for it alone; None: for all hosts, which a bundle can be that has an apply.sh and is called as
    one of Rancher's, or with `all_hosts`. `out`: where the refit goes (left out: output/bundles/). `allow`: patterns of
    paths whose ELF files may stay, beside those of the stack. `against`: the original, for verify.
    """

    archive: Path | None = None
    out: Path | None = None
    platform: Platform | None = None
    all_hosts: bool = False
    allow: tuple[str, ...] = ()
    against: Path | None = None
    server: str = ""
    item: str = ""


class WhichBundle(UsageError):
    """No archive is named, or two of them."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="name a file or a folder, or `--from http://server:8080/v1 --item pyagent`")


class WhichArchitecture(UsageError):
    """Nothing says what machines a bundle is for."""

    def __init__(self, name: str, built: tuple[Platform, ...]) -> None:
        self.name = name
        self.built = built
        names = ", ".join(platform.arch_name for platform in built)
        super().__init__(
            f"{name}: for which architecture?",
            (f"output/ has programs for {names}",) if names else (),
            "`--arch arm64`; or, where an apply.sh can choose, `--all-hosts`: one archive for all of them",
        )


def scan(request: Request, order: BundleOrder) -> Scan:
    """What is in a bundle, and what would cover it: of the recipes, and of what is built.

    Errors: WhichBundle, ConfigProblems; those of scan_bundle and fetch_item.
    """
    around = _Around(request)
    with around.original(order) as path:
        rules = around.rules(path.name, order.allow)
        programs = around.programs(around.binaries(needed=False))
        return scan_bundle(path, limits=around.limits, programs=programs, rules=rules)


def refit(request: Request, order: BundleOrder) -> Refitted:
    """Refit a bundle with the verified binaries of output/. The original is never written to.

    Errors: WhichBundle, WhichArchitecture, NothingBuilt, ConfigProblems; those of refit_bundle and fetch_item.
    """
    around = _Around(request)
    binaries = around.binaries(needed=True)
    with around.original(order) as path:
        rancher = is_rancher(path.name)
        if order.platform is None and not (rancher or order.all_hosts):
            raise WhichArchitecture(path.name, tuple(sorted({binary.platform for binary in binaries})))
        plan = RefitPlan(
            binaries=binaries,
            programs=around.programs(binaries),
            rules=around.rules(path.name, order.allow),
            platform=order.platform,
            rancher=rancher,
        )
        target = order.out.absolute() if order.out else _place(around.output, path.name, order.platform)
        done = refit_bundle(path, target, plan, limits=around.limits, replace=order.out is None)
    size = target.stat().st_size if target.is_file() else 0
    digest = sha256_file(target) if target.is_file() else ""
    return Refitted(name=path.name, path=target, sha256=digest, size=size, done=done)


def verify(request: Request, order: BundleOrder) -> Verdict:
    """Judge a refitted bundle, with `against` also by its original. What is wrong is in the verdict.

    Errors: WhichBundle, WhichPlatform, ConfigProblems; those of scan_bundle and fetch_item.
    """
    around = _Around(request)
    binaries = around.binaries(needed=False)
    with around.original(order) as path:
        rules = around.rules(path.name, order.allow)
        refitted = scan_bundle(path, limits=around.limits, rules=rules)
        original = scan_bundle(order.against, limits=around.limits, rules=rules) if order.against else None
        return verify_scan(
            refitted,
            binaries=binaries,
            platform=order.platform,
            original=original,
            rancher=is_rancher(path.name),
        )


def _place(output: Path, name: str, platform: Platform | None) -> Path:
    """One archive for all hosts lies under its own name: that is what is uploaded, and what `overlay` serves."""
    return output / FOLDER / platform.slug / name if platform else output / FOLDER / name


class _Around:
    """The project's settings, recipes and results, as far as there is a project."""

    def __init__(self, request: Request) -> None:
        from rearch.config.settings import settings_origins

        self._request = replace(request, platforms=None)
        self._settings: Settings = settings_origins(
            request.project, environment=request.environment, flags=request.flags
        )[0]
        self.limits = self._settings.limits.values
        self.output = (request.project / self._settings.output).absolute()
        self._stacks: tuple[Stack, ...] | None = None

    def binaries(self, *, needed: bool) -> tuple[VerifiedBinary, ...]:
        """What output/ holds of the request's stacks. Errors: NothingBuilt, if something is needed."""
        try:
            found = verified_binaries(self.output)
        except NothingBuilt:
            if needed:
                raise
            return ()
        stacks, only = self._request.stacks, self._request.only
        return tuple(
            binary
            for binary in found
            if (stacks is None or binary.component.partition("/")[0] in stacks)
            and (not only or {binary.component, binary.component.partition("/")[2]} & {*only})
        )

    def programs(self, binaries: tuple[VerifiedBinary, ...]) -> tuple[Program, ...]:
        """Those of the recipes, and those that are built: of these the main package is known from the file itself."""
        found = {(one.component, one.binary): one for one in self._recipe_programs()}
        for binary in binaries:
            go = binary.elf.get("go") or {}
            key = (binary.component, binary.name)
            known = found.get(key)
            package = str(go.get("path") or "") or (known.package if known else "")
            found[key] = Program(component=binary.component, binary=binary.name, package=package)
        return tuple(found[key] for key in sorted(found))

    def rules(self, name: str, allow: tuple[str, ...]) -> Rules:
        """What the stacks say of an archive of this name."""
        rules = [
            (stack.name, rule)
            for stack in self.stacks()
            for wanted, rule in stack.bundles.items()
            if is_called(name, wanted)
        ]
        return Rules(
            replace=tuple(
                Replace(path=one.path, component=f"{stack}/{one.component}", binary=one.binary)
                for stack, rule in rules
                for one in rule.replace
            ),
            allow=(*(pattern for _, rule in rules for pattern in rule.allow), *allow),
        )

    def stacks(self) -> tuple[Stack, ...]:
        """The stacks of the request, checked; none outside of a project. Errors: ConfigProblems."""
        if self._stacks is None:
            from rearch.app.prepare import load

            is_project = any((self._request.project / "recipes").glob("*/stack.yaml"))
            self._stacks = load(self._request).stacks if is_project else ()
        return self._stacks

    @contextmanager
    def original(self, order: BundleOrder) -> Iterator[Path]:
        """The archive that is meant; one of a server's is fetched, and kept while it is used."""
        if bool(order.archive) == bool(order.server):
            raise WhichBundle("two bundles are named: a file and a server" if order.archive else "no bundle is named")
        if order.archive is not None:
            yield order.archive
            return
        if not order.item:
            raise WhichBundle(f"which item of {order.server}?")
        from rearch.app.places import cache_folder
        from rearch.app.rancher_source import agent_keys, fetch_item

        access, secret = agent_keys(self._request.environment)
        with tempfile.TemporaryDirectory(prefix="rearch-") as folder:
            yield fetch_item(
                order.server,
                order.item,
                Path(folder),
                access_key=access,
                secret_key=secret,
                cache=cache_folder(self._settings, self._request.environment),
                limits=self.limits,
                timeout=self._settings.timeout,
                offline=self._settings.offline,
            )

    def _recipe_programs(self) -> Iterator[Program]:
        for component in (component for stack in self.stacks() for component in stack.components):
            yield from _programs_of(component)


def _programs_of(component: Component) -> Iterator[Program]:
    """A recipe that has an import path says what its main packages are called."""
    build = component.recipe.build
    go = build.go if build is not None else None
    if go is None:
        return
    for name, package in go.binaries.items():
        path = posixpath.normpath(posixpath.join(go.import_path, go.directory, package)) if go.import_path else ""
        yield Program(component=component.id, binary=name, package=path)
