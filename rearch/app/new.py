"""`new`: a repository -> a recipe that builds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.new_project import StackFacts, add_to_list, read_stack_facts, toolchain_versions
from rearch.app.new_source import FolderTree, fetched
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.durable import write_whole
from rearch.errors import RearchError, UsageError
from rearch.report import Reporter
from rearch.upkeep.inspect import inspect_tree
from rearch.upkeep.new_choose import address_of, check_names, check_url, choose_toolchain, name_of
from rearch.upkeep.new_recipe import Draft, doubts, recipe_text, stack_text

# For a stack of its own: whoever comes here wants another CPU than the one that upstream builds for.
PLATFORMS = ("linux/arm64",)


class RecipeExists(UsageError):
    """A file stands where the new recipe would."""

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(f"{file} is there already", hint="--force writes over it; --name NAME makes another")


class NoStack(UsageError):
    """It is not clear which stack a recipe belongs to."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known
        have = f"there are {', '.join(known)}" if known else "there is none yet"
        super().__init__("which stack?", [have], hint="--stack NAME; one that is not there is made")


class NotPinned(RearchError):
    """The recipe was written, but its names cannot be resolved; it was taken away again."""

    def __init__(self, file: str, error: RearchError) -> None:
        self.file = file
        self.error = error
        self.exit_code = error.exit_code
        super().__init__(
            f"{file} was taken away again: {error.summary}",
            error.details,
            "`--print` shows it; `--no-image` leaves the image, and what it starts from, to you",
        )


class NewOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `new` say; empty: not given."""

    url: str
    ref: str = ""
    stack: str = ""
    name: str = ""
    only_print: bool = False
    force: bool = False
    image: bool = True


class NewResult(Struct, frozen=True, kw_only=True):
    """`file` is relative to the project; `written`: every file that is new or changed."""

    file: str
    text: str
    doubts: tuple[str, ...]
    written: tuple[str, ...]


def new(request: Request, order: NewOrder, report: Reporter) -> NewResult:
    """Look at the repository, write recipes/<stack>/<name>.yaml, and pin it.

    Errors: SecretInUrl, RecipeExists, NoStack, NoPrograms, NoToolchain, BadName, UnfitName, NotPinned; ConfigProblems;
    those of GitResolver.
    """
    from rearch.config.settings import settings_origins

    check_url(order.url)
    check_names(order.stack, order.name)
    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    name = order.name or name_of(order.url)
    stack = read_stack_facts(request.project, order.stack)
    if stack is None:
        raise NoStack(_stacks(request.project))
    file = f"recipes/{stack.name}/{name}.yaml"
    if (request.project / file).exists() and not (order.force or order.only_print):
        raise RecipeExists(file)
    adapters = Adapters(request, settings, report)
    try:
        draft = _draft(adapters, order, name, stack)
    finally:
        adapters.processes.stop()
    text = recipe_text(draft)
    if order.only_print:
        return NewResult(file=file, text=text, doubts=doubts(text), written=())
    written = _write(request, stack, name, text, report)
    return NewResult(file=file, text=text, doubts=doubts(text), written=written)


def _stacks(project: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in (project / "recipes").glob("*/stack.yaml")))


def _draft(adapters: Adapters, order: NewOrder, name: str, stack: StackFacts) -> Draft:
    with fetched(adapters, order.url, order.ref) as source:
        tree = FolderTree(source.folder)
        found = inspect_tree(tree, stack.platforms[0], address=address_of(order.url), name=name)
    tools = toolchain_versions(adapters.project)
    return Draft(
        name=name,
        url=order.url,
        tag=source.tag,
        commit=source.pinned.commit,
        why_ref=source.why,
        found=found,
        toolchain=choose_toolchain(found.layout, tools.go, stack.toolchain),
        default_layout=stack.layout,
        default_toolchain=stack.toolchain,
        default_import_path=stack.import_path,
        zig=tools.zig,
        gcc=tools.gcc,
        image=order.image,
    )


def _write(request: Request, stack: StackFacts, name: str, text: str, report: Reporter) -> tuple[str, ...]:
    """Files first, then the lock, which reads them; on failure all is as it was."""
    from rearch.app.lock import lock

    folder = f"recipes/{stack.name}"
    texts = {f"{folder}/{name}.yaml": text}
    if stack.is_new:
        texts[f"{folder}/stack.yaml"] = stack_text(stack.name, PLATFORMS)
    elif (listed := add_to_list(request.project, stack.name, name)) is not None:
        texts[f"{folder}/stack.yaml"] = listed
    with _undone(request.project, texts) as lock_file:
        before = lock_file.read_bytes() if lock_file.exists() else None
        for file, content in texts.items():
            (request.project / file).parent.mkdir(parents=True, exist_ok=True)
            write_whole(request.project / file, content.encode())
        lock(replace(request, stacks=(stack.name,), only=(name,)), report, check=False, prune=False)
    changed = lock_file.exists() and lock_file.read_bytes() != before
    return (*texts, *(["rearch.lock"] if changed else []))


@contextmanager
def _undone(project: Path, texts: dict[str, str]) -> Iterator[Path]:
    """Whatever goes wrong, and Ctrl-C too, leaves the files as they were. Errors: NotPinned."""
    before = {file: path.read_bytes() if (path := project / file).exists() else None for file in texts}
    folders = [folder for file in texts if not (folder := (project / file).parent).exists()]
    try:
        yield project / "rearch.lock"
    except BaseException as error:
        for file, content in before.items():
            if content is None:
                (project / file).unlink(missing_ok=True)
            else:
                write_whole(project / file, content)
        for folder in dict.fromkeys(folders):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if isinstance(error, RearchError):
            raise NotPinned(next(iter(texts)), error) from error
        raise
