"""The project of the rehearsal, as a user would write one, and the repositories that it is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.errors import StepError
from rearch.host.process import Processes
from rearch.model.command import Command
from rearch.model.platform import EM_AARCH64, EM_X86_64, PLATFORMS
from rearch.rehearsal.upstreams import GITHUB, VERSION, repositories

STACK = "rancher"
TOOLCHAIN = "go-1.27"
IMAGE_TAG = "v1.2.11"  # the image that servers v1.6.25 and v1.6.26 ask hosts for
HOSTS = tuple(platform for platform in PLATFORMS if platform.arch.elf_machine in (EM_X86_64, EM_AARCH64))
"""The two hosts of the story: the x86 server that was always there, and the Raspberry Pi 3 with a 64-bit system."""
_DATE = "1500000000 +0000"
_WHO = {"NAME": "A Rehearsal", "EMAIL": "rehearsal@example.org", "DATE": _DATE}

_STACK = """\
name: {stack}
summary: The agent of Rancher 1.6, rehearsed
platforms: [{platforms}]
defaults:
  build: {{toolchain: {toolchain}}}
publish: {{to: ["{registry}/rancher"]}}
volumes:
  {volume}:
    summary: What the agent puts before the command of every managed container, mounted at /.r
    files:
      r: {{binary: r}}
"""

_AGENT = """\
name: agent
summary: The Go agent that the server hands to every host
version: {version}
source: {{git: {github}/agent, ref: "${{{{ version }}}}"}}
build:
  go:
    binaries: {{agent: .}}
    stamps: {{main.VERSION: "${{{{ version }}}}"}}
smoke:
  - {{run: [agent, --version], expect: "${{{{ version }}}}"}}
image:
  repository: agent
  tag: {tag}
  media_types: docker
  template: rancher-agent
  values: {{agent_image: "{image}"}}
  base:
    debian: bookworm
    packages: [base-files, coreutils, curl, dash, grep, gzip, sed, tar]
    directories: {{/var/lib/cattle: {{}}}}
  files:
    - {{binary: agent, to: /usr/bin/}}
    - {{binary: r, component: r, to: /usr/bin/}}
    - {{source: package/run.sh, to: /run.sh, mode: "0755"}}
  entrypoint: [/run.sh]
  smoke:
    - {{run: [/usr/bin/agent, --version], expect: "${{{{ version }}}}"}}
"""

_R = """\
name: r
summary: Stands before the command of every managed container
version: {version}
source: {{git: {github}/r, ref: "${{{{ version }}}}"}}
build:
  go:
    binaries: {{r: .}}
smoke:
  - {{run: [r], expect: '^r '}}
"""


class UpstreamFailed(StepError):
    """git did not make a repository. `said` is what it printed."""

    def __init__(self, name: str, said: str) -> None:
        self.name = name
        self.said = said
        super().__init__(f"git could not make the repository {name}", said.splitlines(), hint="apt-get install git")


class Project(Struct, frozen=True, kw_only=True):
    """Where it is. `image` is the name that the server will demand, with the registry in front. `volume`: the named
    volume that it fills."""

    root: Path
    image: str
    volume: str

    @property
    def output(self) -> Path:
        return self.root / "output"


def write_project(
    folder: Path, registry: str, token: str, processes: Processes, environment: Mapping[str, str]
) -> Project:
    """Repositories in `folder`/upstreams, a project in `folder`/project. `token` makes the volume's name its own.

    Errors: UpstreamFailed, ToolMissing.
    """
    upstreams, root = folder / "upstreams", folder / "project"
    for name, files in repositories().items():
        _make_repository(upstreams / name, files, processes, environment)
    image = f"{registry}/rancher/agent:{IMAGE_TAG}"
    project = Project(root=root, image=image, volume=f"rearch-{token}-rancher-cni")
    for path, text in project_files(project, registry, upstreams).items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return project


def project_files(project: Project, registry: str, upstreams: Path) -> Mapping[str, str]:
    """The YAML of the project by path. Pure."""
    platforms = ", ".join(map(str, HOSTS))
    recipes = f"recipes/{STACK}"
    given = {
        "stack": STACK,
        "toolchain": TOOLCHAIN,
        "version": VERSION,
        "github": GITHUB,
        "tag": IMAGE_TAG,
        "image": project.image,
        "volume": project.volume,
    }
    return {
        "rearch.yaml": f"mirrors: {{{GITHUB}: 'file://{upstreams}'}}\n",
        f"{recipes}/stack.yaml": _STACK.format(**given, platforms=platforms, registry=registry),
        f"{recipes}/agent.yaml": _AGENT.format(**given),
        f"{recipes}/r.yaml": _R.format(**given),
    }


def _make_repository(
    place: Path, files: Mapping[str, str], processes: Processes, environment: Mapping[str, str]
) -> None:
    """A repository with one commit and one tag; always the same hashes."""
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", VERSION), ("tag", VERSION)):
        done = processes.run(_git(place, words, environment))
        if done.exit != 0:
            raise UpstreamFailed(place.name, done.output)


def _git(place: Path, words: Sequence[str], environment: Mapping[str, str]) -> Command:
    """git without the user's configuration, hooks and clock."""
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _WHO.items()}
    env = who | {
        "PATH": environment.get("PATH", ""),
        "HOME": str(place.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    return Command(argv=("git", *words), cwd=place, env=tuple(sorted(env.items())), timeout=60.0)
