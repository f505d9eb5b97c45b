"""What `setup` writes for whom: the flags, the project and this machine, as one value."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.app.request import Request
from rearch.errors import UsageError
from rearch.model.setup import SetupFacts, SetupKind, check_mail, check_name, check_printable, check_user, time_of_day

if TYPE_CHECKING:
    from rearch.model.image import Image
    from rearch.model.stack import Project

# What systemd.exec(5) hides with ProtectHome=, and with PrivateTmp=.
HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  (nothing is written there)
SERVICE_HOME = "/var/lib/rearch"
NAME = "rearch-nightly"


class SetupOrder(Struct, frozen=True, kw_only=True):
    """What the flags say; empty for the default. `program`: the words that start rearch on this machine."""

    kind: SetupKind
    program: tuple[str, ...]
    at: str = "02:30"
    user: str = ""
    name: str = NAME
    mail: str = ""
    install: str = ""
    out: Path | None = None
    stacks: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    publish: bool = True


class NoUser(UsageError):
    """The project's folder belongs to a number that is no user."""

    def __init__(self, project: Path, number: int) -> None:
        self.project = project
        self.number = number
        super().__init__(f"{project} belongs to user {number}, who has no name here", hint="name a user: --user NAME")


class MeansNothing(UsageError):
    """A flag that this kind has no use for: whoever gave it would wait for it in vain."""

    def __init__(self, flag: str, kind: SetupKind) -> None:
        self.flag = flag
        self.kind = kind
        super().__init__(
            f"--{flag} means nothing for {kind.value}", hint=f"leave --{flag} out; `--help setup` says whose it is"
        )


class Account(Struct, frozen=True, kw_only=True):
    """A user: with `known` one of this machine, else one that the administrator is told to make, with that `home`."""

    name: str
    home: str
    known: bool
    root: bool = False
    groups: tuple[str, ...] = ()


def check_flags(order: SetupOrder) -> None:
    """Errors: MeansNothing."""
    local = order.kind.is_local
    for flag, given, fits in (
        ("user", order.user != "", local),
        ("name", order.name != NAME, local),
        ("mail", order.mail != "", order.kind is SetupKind.CRON),
        ("install", order.install != "", not local),
    ):
        if given and not fits:
            raise MeansNothing(flag, order.kind)


def find_account(request: Request, order: SetupOrder) -> Account:
    """Who runs it: the one named, else the project's owner, so that what a night writes is theirs."""
    if not order.user:
        number = request.project.stat().st_uid
        try:
            entry = pwd.getpwuid(number)
        except KeyError:
            if order.kind.is_local:
                raise NoUser(request.project, number) from None
            return Account(name="", home="", known=False)
        return _known(entry)
    name = check_user(order.user)
    try:
        return _known(pwd.getpwnam(name))
    except KeyError:
        return Account(name=name, home=SERVICE_HOME, known=False)


def _known(entry: pwd.struct_passwd) -> Account:
    groups = tuple(group.gr_name for group in grp.getgrall() if entry.pw_name in group.gr_mem)
    return Account(name=entry.pw_name, home=entry.pw_dir, known=True, root=entry.pw_uid == 0, groups=groups)


def find_facts(request: Request, order: SetupOrder, project: Project, account: Account) -> SetupFacts:
    from rearch.app.places import cache_folder

    settings = project.settings
    named = settings.cache or request.environment.get("REARCH_CACHE", "")
    cache = str(cache_folder(settings, request.environment)) if named else ""
    output = (request.project / Path(settings.output).expanduser()).absolute()
    written = dict.fromkeys((output, *_layouts(request, order, project)))
    outside = tuple(str(folder) for folder in written if not folder.is_relative_to(request.project))
    builders = {image.builder for image in _images(project)}
    paths = (*order.program[:1], str(Path(sys.executable).resolve()), str(request.project), cache, *outside)
    facts = SetupFacts(
        name=check_name(order.name),
        program=order.program,
        project=str(request.project),
        arguments=_arguments(order),
        at=time_of_day(order.at),
        user=account.name,
        mail=check_mail(order.mail or account.name or "root"),
        install=order.install or _install(request.project),
        cache=cache,
        writable=(*((cache,) if cache else ()), *outside),
        subfolder=_subfolder(request.project),
        registry=_registry(order, project),
        docker="docker" in builders,
        buildah="buildah" in builders,
        homes=_some_below((*paths, account.home), HOMES),
        in_tmp=_some_below(paths, TEMPORARY),
        root=account.root,
    )
    _check(facts)
    return facts


def _layouts(request: Request, order: SetupOrder, project: Project) -> Iterator[Path]:
    """The folders that a night on this machine publishes to: a service can write to no others."""
    from rearch.app.publish import target_at
    from rearch.planning.publish_targets import LayoutTarget

    if not order.publish or not order.kind.is_local:
        return
    named = [(text, request.project) for stack in project.stacks for text in stack.publish.to]
    for text, base in [(text, Path()) for text in order.to] or named:
        target = target_at(text, base)
        if isinstance(target, LayoutTarget):
            yield Path(os.path.abspath(target.path))  # noqa: PTH100  (`..` out, links kept)


def _some_below(paths: Iterable[str], folders: Iterable[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for path in paths if path for folder in folders)


def _check(facts: SetupFacts) -> None:
    for flag, texts in (
        ("program", facts.program),
        ("project", (facts.project, facts.subfolder)),
        ("to and --stack", facts.arguments),
        ("install", (facts.install,)),
        ("project", (facts.cache, *facts.writable)),
    ):
        for text in texts:
            check_printable(flag, text)


def _images(project: Project) -> Iterator[Image]:
    for stack in project.stacks:
        for component in stack.components:
            for recipe in component.recipes.values():
                if recipe.image is not None:
                    yield recipe.image


def _arguments(order: SetupOrder) -> tuple[str, ...]:
    """The words behind `nightly`. A folder is named by its whole path on this machine: a service works in /."""
    stacks = ("--stack", ",".join(order.stacks)) if order.stacks else ()
    places = tuple(word for text in order.to for word in ("--to", _place(order.kind, text)))
    return (*stacks, *places, *(() if order.publish else ("--no-publish",)))


def _place(kind: SetupKind, text: str) -> str:
    from rearch.planning.publish_targets import LayoutTarget, parse_target

    target = parse_target(text)
    if isinstance(target, LayoutTarget) and kind.is_local:
        return f"oci:{Path(target.path).expanduser().absolute()}"
    return text


def _registry(order: SetupOrder, project: Project) -> str:
    """The host that is pushed to, if there is one alone: a login is for one."""
    from rearch.planning.publish_targets import RegistryTarget, parse_target

    if not order.publish:
        return ""
    texts = order.to or tuple(text for stack in project.stacks for text in stack.publish.to)
    hosts = {target.registry for target in map(parse_target, texts) if isinstance(target, RegistryTarget)}
    return hosts.pop() if len(hosts) == 1 else ""


def _install(project: Path) -> str:
    """In rearch's own checkout the checkout, else this version."""
    from rearch import __version__

    if (project / "rearch" / "cli" / "program.py").is_file() and (project / "pyproject.toml").is_file():
        return "."
    return f"rearch=={__version__}"


def _repository(project: Path) -> Path:
    """The root of the working tree that the project is in, else the project."""
    return next((each for each in (project, *project.parents) if (each / ".git").exists()), project)


def _subfolder(project: Path) -> str:
    below = str(project.relative_to(_repository(project)))
    return "" if below == "." else below


def out_folder(request: Request, order: SetupOrder) -> Path:
    """CI services read their file from the repository's root; units are put in place by root, from a folder."""
    if order.out is not None:
        return Path(os.path.abspath(order.out.expanduser()))  # noqa: PTH100  (`..` out, links kept)
    if order.kind.is_local:
        return request.project / "setup" / order.kind.value
    return _repository(request.project)
