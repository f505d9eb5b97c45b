"""What instructions do to the config: image specification 1.1, "Image Configuration"; BuildKit where it is silent."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from rearch.model.platform import Platform
from rearch.oci.dockerfile.instructions import (
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    Shell,
    StageInstruction,
    StopSignal,
    User,
    Volume,
    Words,
    Workdir,
)
from rearch.oci.types import HealthcheckConfig, History, ImageConfig, RunConfig

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL = ("/bin/sh", "-c")


def timestamp(epoch: int) -> str:
    """Seconds since 1970 as RFC 3339, section 5.6, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def empty_config(platform: Platform, epoch: int) -> ImageConfig:
    """What `FROM scratch` starts from, as BuildKit has it."""
    return ImageConfig(
        created=timestamp(epoch),
        architecture=platform.oci_architecture,
        os=platform.os,
        variant=platform.oci_variant,
        config=RunConfig(env=(_PATH,), working_dir="/"),
        history=(),
    )


def started_config(base: ImageConfig, platform: Platform, epoch: int) -> ImageConfig:
    """What `FROM base` starts from: the base's own config, with a PATH where it has none, as BuildKit adds it."""
    run = base.config or RunConfig()
    env = run.env or ()
    if not any(line.startswith("PATH=") for line in env):
        run = replace(run, env=(*env, _PATH))
    update = {
        "created": timestamp(epoch),
        "architecture": platform.oci_architecture,
        "variant": platform.oci_variant,
        "config": run,
        "history": whole_history(base),
    }
    return replace(base, **update)


def whole_history(config: ImageConfig) -> tuple[History, ...]:
    """A config's history with one line for each layer; made up where what is there has more or fewer."""
    lines, layers = config.history or (), len(config.rootfs.diff_ids)
    if sum(not line.empty_layer for line in lines) == layers:
        return lines
    return tuple(History(created=config.created, created_by="layer of the base") for _ in range(layers))


def environment(config: ImageConfig) -> dict[str, str]:
    """Its variables."""
    pairs = (line.partition("=") for line in (config.config or RunConfig()).env or ())
    return {name: value for name, _equals, value in pairs}


def configured(config: ImageConfig, each: StageInstruction, *, cmd_is_set: bool) -> ImageConfig:
    """The config after an instruction. `cmd_is_set`: the stage has had a CMD of its own, which ENTRYPOINT leaves."""
    if isinstance(each, Maintainer):
        return replace(config, author=each.author)
    run = config.config or RunConfig()
    return replace(config, config=replace(run, **_update(run, each, cmd_is_set=cmd_is_set)))


def _update(run: RunConfig, each: StageInstruction, *, cmd_is_set: bool) -> dict[str, Any]:
    match each:
        case Env(pairs=pairs):
            return {"env": _env(run.env or (), pairs)}
        case Label(pairs=pairs):
            return {"labels": {**(run.labels or {}), **dict(pairs)}}
        case Workdir(path=path):
            return {"working_dir": posixpath.normpath(posixpath.join("/", run.working_dir or "", path))}
        case User(user=user):
            return {"user": user}
        case Expose(ports=ports):
            return {"exposed_ports": _with(run.exposed_ports, ports)}
        case Volume(paths=paths):
            return {"volumes": _with(run.volumes, paths)}
        case Entrypoint(command=command):
            return {"entrypoint": _argv(run, command), **({} if cmd_is_set else {"cmd": None})}
        case Cmd(command=command):
            return {"cmd": _argv(run, command)}
        case StopSignal(signal=signal):
            return {"stop_signal": signal}
        case Healthcheck():
            return {"healthcheck": _healthcheck(each)}
        case Shell(words=words):
            return {"shell": words}
        case _:
            return {}


def _env(env: tuple[str, ...], pairs: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """A variable that is there keeps its place."""
    values = dict(line.partition("=")[::2] for line in env)
    return tuple(f"{name}={value}" for name, value in (values | dict(pairs)).items())


def _with(before: Mapping[str, Any] | None, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return {**(before or {}), **{name: {} for name in names}}


def _argv(run: RunConfig, command: Words) -> tuple[str, ...] | None:
    """`[]` takes back what the base has."""
    words = (*(run.shell or _SHELL), *command.words) if command.for_shell else command.words
    return words or None


def _healthcheck(each: Healthcheck) -> HealthcheckConfig:
    if each.command is None:
        return HealthcheckConfig(test=("NONE",))
    return HealthcheckConfig(
        test=("CMD-SHELL" if each.command.for_shell else "CMD", *each.command.words),
        interval=each.interval or None,
        timeout=each.timeout or None,
        start_period=each.start_period or None,
        start_interval=each.start_interval or None,
        retries=each.retries or None,
    )
