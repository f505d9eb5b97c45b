"""The steps of the story: each does one thing, and says what it saw, or raises NotAsExpected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.errors import StepError, VerificationError
from rearch.host.docker.running import Job
from rearch.host.emulators import Emulators
from rearch.host.process import Processes
from rearch.model.command import Command
from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform
from rearch.rehearsal.archive import agent_of, upstream_build, write_archive
from rearch.rehearsal.findings import NotAsExpected, Seen
from rearch.rehearsal.hosts import check_refused, check_started, start_host
from rearch.rehearsal.ports import Made, Source
from rearch.rehearsal.project import HOSTS, Project
from rearch.rehearsal.server import StandIn
from rearch.rehearsal.stage import EngineHere, Stage

WriteProject = Callable[[Path, str, str, Processes, Mapping[str, str]], Project]
X86, ARM = HOSTS
PYAGENT = "pyagent"
REFITTED = "2"
"""The server's version of the archive after the refit; before, it is 1."""
CNI = "/.r"


class UpstreamNotBuilt(StepError):
    """go did not compile the program that stands for upstream's."""

    def __init__(self, said: str) -> None:
        self.said = said
        super().__init__("the x86 agent of the story was not compiled", said.splitlines()[-8:])


class Scene(Struct, frozen=True, kw_only=True):
    """Everything in its place. `archive` is what the server has before the cure."""

    stage: Stage
    project: Project
    engine: EngineHere
    server: StandIn
    archive: Path


def make_project(stage: Stage, registry: str, write: WriteProject) -> Seen[Project]:
    """Repositories in the place of upstream's, and a project that builds them."""
    project = write(stage.folder, registry, stage.token, stage.processes, stage.environment)
    return Seen(project, (f"{project.root}, whose image is {project.image}",))


def build(stage: Stage, project: Project) -> Seen[Made]:
    """The real pipeline, with the cache of the user."""
    made = stage.works.build(project)
    return Seen(made, (*made.programs, *made.images))


def publish(stage: Stage, project: Project, registry: str) -> Seen[None]:
    """To the registry, under exactly the name that the server's bootstrap demands."""
    references = tuple(stage.works.publish(project))
    if not any(reference.startswith(f"{project.image}@") for reference in references):
        raise NotAsExpected(f"{project.image} is published at {registry}", references)
    return Seen(None, references)


def make_archive(stage: Stage, made: Made) -> Seen[Path]:
    """Upstream's agent, compiled for x86 alone as upstream does it, in an archive like Rancher's."""
    program = stage.folder / "upstream-agent"
    arguments, variables = upstream_build(X86)
    env = dict(variables) | {
        "PATH": stage.environment.get("PATH", ""),
        "HOME": str(stage.folder),
        "GOCACHE": str(made.cache),
        "GOTOOLCHAIN": "local",
        "GOENV": "off",
        "GOPROXY": "off",
        "GOTELEMETRY": "off",
    }
    argv = (str(made.compiler), "build", *arguments, "-o", str(program), ".")
    source = stage.folder / "upstreams" / "agent"
    done = stage.processes.run(Command(argv=argv, cwd=source, env=tuple(sorted(env.items())), timeout=600.0))
    if done.exit != 0:
        raise UpstreamNotBuilt(done.output)
    archive = write_archive(stage.folder / "go-agent.tar.gz", program.read_bytes())
    return Seen(archive, (f"{archive.name}, {archive.stat().st_size} bytes, its program for {X86}",))


def start_native(scene: Scene) -> Seen[None]:
    """The archive is whole: the host that it is for runs it."""
    return _start(scene, X86)


def show_problem(scene: Scene) -> Seen[None]:
    """The same image name, the same archive, right sums; and a program for another machine."""
    started = start_host(scene.engine.containers, scene.project.image, scene.server.registration_url, ARM)
    told = check_refused(started)
    return Seen(None, (told, *_refused_by_emulator(scene)))


def _refused_by_emulator(scene: Scene) -> tuple[str, ...]:
    """What an ARM processor makes of the program: qemu is asked directly, with no x86 kernel in between."""
    emulator = Emulators.of_this_host(scene.stage.environment.get("PATH", "")).find(ARM)
    if ARM not in scene.stage.emulate or emulator is None:
        return ()
    program = scene.stage.folder / "agent-of-the-archive"
    program.write_bytes(agent_of(scene.archive))
    program.chmod(0o755)
    done = scene.stage.processes.run(Command(argv=(*emulator.argv, str(program)), cwd=Path("/"), timeout=60.0))
    if done.exit == 0 or "Invalid ELF image" not in done.output:
        raise NotAsExpected(f"an emulated {ARM} refuses a program for {X86}", done.output.splitlines())
    return (f"and {emulator.name} says: {done.output.strip().splitlines()[-1].rpartition(': ')[2]}",)


def refit(scene: Scene) -> Seen[None]:
    """The archive as the server hands it out, with a program for each host; the server has that one from now on."""
    server, folder = scene.server, scene.stage.folder / "bundle"
    folder.mkdir()
    source = Source(api=server.api, item=PYAGENT, access=server.access, secret=server.secret)
    cured = scene.stage.works.refit(scene.project, source, folder)
    server.offer(PYAGENT, cured.archive, REFITTED)
    return Seen(None, (*(f"was {line}" for line in cured.before), *(f"is  {line}" for line in cured.after)))


def start_cured(scene: Scene, platform: Platform) -> Seen[None]:
    """A new host of that platform, from the same name, with the same archive."""
    return _start(scene, platform)


def _start(scene: Scene, platform: Platform) -> Seen[None]:
    started = start_host(scene.engine.containers, scene.project.image, scene.server.registration_url, platform)
    line = check_started(started)
    return Seen(None, (f"{scene.project.image} for {platform} is {started.image[:19]}", line))


def ask_server(scene: Scene) -> Seen[None]:
    """Both hosts registered, asked for the archive as config.sh does, and told that they applied its version."""
    requests = scene.server.requests
    registered = sum(one.method == "POST" and one.status == 201 for one in requests)
    # config.sh asks with curl; `rearch bundle --from` has asked for the same item, with a name of its own.
    asked = [one for one in requests if one.method == "GET" and one.path.endswith(f"//configcontent//{PYAGENT}")]
    fetched = [one for one in asked if one.headers.get("User-Agent", "").startswith("curl/")]
    applied = [one for one in scene.server.applied if one.item == PYAGENT and one.version == REFITTED]
    seen = (
        f"{registered} hosts registered",
        f"GET {fetched[0].path if fetched else 'never'}, {len(fetched)} times",
        f"PUT of {PYAGENT} version {REFITTED}, {len(applied)} times",
    )
    # One host of each platform before the cure, one of each after it.
    if registered != 2 * len(HOSTS) or len(fetched) != 2 * len(HOSTS) or len(applied) != len(HOSTS):
        raise NotAsExpected("four hosts registered and asked, the two after the cure applied version 2", seen)
    return Seen(None, seen)


def fill_volume(scene: Scene) -> Seen[None]:
    """r into the volume that every managed container mounts; a container is started through it."""
    own = _own(scene)
    filled = scene.stage.works.fill_volume(scene.project, scene.engine.url, own)
    again = scene.stage.works.fill_volume(scene.project, scene.engine.url, own)
    if not filled.written or again.written:
        raise NotAsExpected("written once, and nothing to do the second time", (*filled.written, *again.written))
    return Seen(None, (*filled.written, *_through_r(scene, own, scene.project.volume)))


def fill_folder(scene: Scene) -> Seen[None]:
    """The same for the other host, into a folder that its container mounts."""
    other = _other(scene)
    folder = scene.stage.folder / "cni"
    folder.mkdir()
    filled = scene.stage.works.fill_folder(scene.project, folder, other)
    place = next((path.parent for path in sorted(folder.rglob("r")) if path.is_file()), None)
    if place is None:
        raise NotAsExpected(f"r is below {folder}", filled.written)
    return Seen(None, (*filled.written, *_through_r(scene, other, str(place))))


def _through_r(scene: Scene, platform: Platform, source: str) -> tuple[str, ...]:
    """Start a container as the agent starts managed ones, with /.r/r before its command."""
    containers = scene.engine.containers
    pulled = containers.pull(scene.project.image, platform)
    mounts = FrozenDict({source: CNI})
    said = containers.run(Job(image=pulled.id, argv=(f"{CNI}/r", "/bin/uname", "-m"), mounts=mounts, platform=platform))
    wanted = (f"r {platform.arch.goarch}", platform.arch.uname[0])
    if said.code != 0 or said.lines != wanted:
        raise NotAsExpected(f"through {CNI}/r: {' and '.join(wanted)}", said.lines)
    return said.lines


def refuse_foreign(scene: Scene) -> Seen[None]:
    """An engine of another architecture than the programs is an error, and its volume stays as it is."""
    other = _other(scene)
    try:
        filled = scene.stage.works.fill_volume(scene.project, scene.engine.url, other)
    except VerificationError as error:
        return Seen(None, (error.summary, *_through_r(scene, _own(scene), scene.project.volume)))
    raise NotAsExpected(f"programs of {other} are refused by an engine of {scene.engine.own}", filled.written)


def leave_nothing(scene: Scene) -> Seen[None]:
    """Remove what was made and pulled, and look whether the engine still has any of it."""
    there = scene.engine.containers
    there.clean()
    there.remove_volume(scene.project.volume)
    left = there.leftovers(scene.project.volume)
    if left:
        raise NotAsExpected("no container, image or volume of the rehearsal", left)
    return Seen(None, ("no container, no image, no volume",))


def _own(scene: Scene) -> Platform:
    """The platform of the engine. Errors: NotAsExpected where it is none of the two hosts'."""
    own = next((platform for platform in HOSTS if platform == scene.engine.own), None)
    if own is None:
        raise NotAsExpected(f"an engine of {X86} or {ARM}", (str(scene.engine.own),))
    return own


def _other(scene: Scene) -> Platform:
    return next(platform for platform in HOSTS if platform != _own(scene))
