"""The packages of a base: what apt would install of a release for a platform, with nothing there before."""

from __future__ import annotations

from rearch.errors import RearchError, UsageError
from rearch.host.debian.apt import HostApt
from rearch.host.debian.closure import describe, planned
from rearch.host.debian.fetcher import Miss, read_failures, why
from rearch.host.debian.names import NoDebianPort, UnknownDebianPackages, checked_name
from rearch.host.debian.resolve_errors import UnmetDependencies, VirtualPackage, complaint
from rearch.host.debian.state import Answer, AptState, AptUnreachable
from rearch.host.debian.suites import UnknownSuite
from rearch.model.lock import PinnedPackages
from rearch.model.platform import Platform

_NO_RELEASE = "does not have a Release file"
# As in resolve.py; `Essential` packages are not added: this is not an installation that dpkg has to be run in.
_DRY = ("-q", "-y", "--print-uris", "--no-install-recommends", "install")
_MERGER, _MERGED = "usrmerge", "usr-is-merged"
_VIRTUAL = "is a virtual package"


class NotForArchitecture(UsageError):
    """Packages that the release has, but not for this architecture."""

    def __init__(self, names: tuple[str, ...], suite: str, architecture: str, native: str) -> None:
        self.names = names
        self.suite = suite
        self.architecture = architecture
        super().__init__(
            f"{suite} has no {', '.join(names)} for {architecture}",
            (f"it is there for {native}, so the name is right: Debian does not build it for {architecture}",),
            hint="leave the package or the platform out, in the recipe or with `platforms:` overrides",
        )


def resolve_root_fs(
    apt: HostApt, suite: str, packages: tuple[str, ...], platform: Platform, pinned: PinnedPackages | None = None
) -> PinnedPackages:
    """See DebianResolver.resolve_root_fs."""
    architecture = platform.arch.debian
    if architecture is None:
        raise NoDebianPort(platform, "take a base of a registry that has it, or scratch, under `platforms:` overrides")
    names = tuple(sorted({checked_name(name) for name in packages}))
    failures: list[RearchError] = []
    for state in apt.suite_states(suite, architecture):
        try:
            found = _resolve(apt, state, names, suite)
        except (AptUnreachable, UnknownDebianPackages, UnmetDependencies) as error:
            failures.append(error)
            continue
        return pinned if pinned is not None and pinned.packages == found.packages else found
    raise _failure(failures, apt, suite)


def _resolve(apt: HostApt, state: AptState, names: tuple[str, ...], suite: str) -> PinnedPackages:
    updated = state.update(apt.say)
    answer = _install(state, names)
    if answer.exit != 0 and not updated and state.update(apt.say, force=True):
        answer = _install(state, names)
    if answer.exit != 0:
        raise _refused(apt, state, names, suite, answer)
    return PinnedPackages(packages=describe(state, planned(answer.text)), time=state.released())


def _install(state: AptState, names: tuple[str, ...]) -> Answer:
    """apt's plan. Where a package wants `usrmerge | usr-is-merged`, the second is right, as debootstrap has it: the
    tree is merged from the start, and the first would bring Perl to do it."""
    answer = state.ask("apt-get", *_DRY, *names)
    if answer.exit == 0 and _MERGER not in names and any(name == _MERGER for name, _version in planned(answer.text)):
        without = state.ask("apt-get", *_DRY, *names, _MERGED)
        return without if without.exit == 0 else answer
    return answer


def _refused(apt: HostApt, state: AptState, names: tuple[str, ...], suite: str, answer: Answer) -> RearchError:
    """Why apt gave no answer, in order: names that are nowhere, names of another architecture, virtual names."""
    known = frozenset(state.ask("apt-cache", "pkgnames").text.split())
    virtual = tuple(name for name in names if f"Package {name} {_VIRTUAL}" in answer.text)
    unknown = tuple(name for name in names if name not in known and name not in virtual)
    if unknown:
        native = apt.tools.native
        elsewhere = _native_names(apt, suite) if native != state.architecture else frozenset[str]()
        foreign = tuple(name for name in unknown if name in elsewhere)
        if foreign == unknown:
            return NotForArchitecture(foreign, suite, state.architecture, native)
        return UnknownDebianPackages(unknown, state.architecture, sorted(known), field="packages")
    if virtual:
        return VirtualPackage(virtual, suite, complaint(answer))
    return UnmetDependencies(names, state.architecture, complaint(answer))


def _native_names(apt: HostApt, suite: str) -> frozenset[str]:
    """The names of the release's packages for this host; none where they cannot be had: it is for a message alone."""
    for state in apt.suite_states(suite, apt.tools.native):
        try:
            state.update(apt.say)
            return frozenset(state.ask("apt-cache", "pkgnames").text.split())
        except RearchError as error:
            apt.say(f"apt: {error.summary}")
    return frozenset()


def _failure(failures: list[RearchError], apt: HostApt, suite: str) -> RearchError:
    """The first that says something of the packages; that the suite is nowhere, when every archive says so."""
    telling = next((error for error in failures if not isinstance(error, AptUnreachable)), None)
    if telling is not None:
        return telling
    unreachable = [error for error in failures if isinstance(error, AptUnreachable)]
    silent = next((error for error in unreachable if not _is_gone(error)), None)
    if silent is not None:
        return silent
    return UnknownSuite(suite, [place for error in unreachable for place in error.places], apt.known)


def _is_gone(error: AptUnreachable) -> bool:
    """Whether the archives answered, and have no such suite; one marked as trusted may lack a Release file anyway."""
    reasons = read_failures("\n".join(f"E: {line[3:]}" for line in error.said))
    answered = bool(reasons) or any(_NO_RELEASE in line for line in error.said)
    return answered and all(why(reason) is Miss.GONE for reason in reasons.values())
