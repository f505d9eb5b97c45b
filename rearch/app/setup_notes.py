"""What `setup` tells besides the files: what is to be known of them, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rearch.app.request import Request
from rearch.app.setup_facts import SERVICE_HOME, Account, SetupOrder
from rearch.model.setup import SetupFacts, SetupFile, SetupKind


def setup_notes(
    request: Request, order: SetupOrder, facts: SetupFacts, files: Iterable[SetupFile], account: Account
) -> Iterator[str]:
    if order.kind.is_local and account.root:
        yield "it will run as root, who owns the project: --user names somebody else"
    if order.kind.is_local and facts.docker and account.known and "docker" not in account.groups and not account.root:
        yield f"a recipe builds with Docker, and {account.name} is not in the group docker"
    if not order.kind.is_local and facts.docker:
        yield "a recipe builds with Docker: the runner needs an engine"
    if order.kind is SetupKind.SYSTEMD:
        from rearch.host.process import Processes
        from rearch.host.units import verify_units

        for line in verify_units(files, request.environment, Processes()):
            yield f"systemd-analyze verify: {line}"


def setup_steps(order: SetupOrder, facts: SetupFacts, folder: Path, account: Account) -> Iterator[str]:
    from rearch.config.setup_quoting import shell_command

    name = facts.name
    if order.kind.is_local and not account.known:
        yield shell_command(
            ("useradd", "--system", "--home-dir", SERVICE_HOME, "--create-home", "--user-group", account.name)
        )
    if order.kind.is_local:
        owner = "root" if order.kind is SetupKind.SYSTEMD else account.name
        example = str(folder / f"{name}.env.example")
        yield (
            shell_command(("install", "-D", "-m", "0600", "-o", owner, example, facts.secrets)) + "  # then fill it in"
        )
    for path in facts.writable if order.kind is SetupKind.SYSTEMD else ():
        if not Path(path).is_dir():
            yield shell_command(("install", "-d", "-o", account.name, path))
    match order.kind:
        case SetupKind.SYSTEMD:
            units = (f"{folder}/{name}.service", f"{folder}/{name}.timer")
            if str(folder) != "/etc/systemd/system":
                yield shell_command(("install", "-m", "0644", *units, "/etc/systemd/system/"))
            yield f"systemctl daemon-reload && systemctl enable --now {name}.timer"
        case SetupKind.CRON:
            if str(folder) != "/etc/cron.d":
                yield shell_command(("install", "-m", "0644", "-o", "root", str(folder / name), "/etc/cron.d/"))
        case SetupKind.GITHUB:
            yield "commit it; its secrets (ghcr.io needs none): REARCH_LOGIN_{REGISTRY,USER,PASSWORD}"
        case SetupKind.GITLAB:
            yield "commit it; in .gitlab-ci.yml: include: [{local: .gitlab/rearch.gitlab-ci.yml}]"
            yield f"Build > Pipeline schedules: {facts.at.minute} {facts.at.hour} * * *"
        case SetupKind.JENKINS:
            yield "commit it; a Pipeline job from SCM; a credential rearch-registry (username with password)"
