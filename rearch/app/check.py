"""`check`: read a project twice, once as the build does, once layer by layer, and apply the rules."""

from __future__ import annotations

from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.config.files import ProjectFiles, Unreadable
from rearch.config.problems import ConfigProblems
from rearch.config.recipes import ReadRecipe, read_recipe
from rearch.config.stacks import ReadStack, read_stack, stack_names
from rearch.config.template_files import FOLDER as TEMPLATES
from rearch.config.template_files import SUFFIX
from rearch.config.toolchains import FOLDER as TOOLCHAINS
from rearch.engine.lockfile import read_lock
from rearch.model.stack import Project
from rearch.planning.names import wanted_names
from rearch.upkeep.lint import Checked, check_world
from rearch.upkeep.lint_values import LintStack, Template, World


def check(request: Request) -> Checked:
    """Lint the stacks of a request. Errors: ConfigProblems (what does not load is not linted), BadLock."""
    project = load(request)
    files = ProjectFiles(request.project)
    world = World(
        files=files,
        stacks=tuple(_stack(files, project, stack.name) for stack in project.stacks),
        lock=read_lock(request.project / LOCK),
        wanted=wanted_names(project.stacks, project.toolchains),
        toolchains=_toolchains(files),
        templates=_templates(files),
        whole={stack.name for stack in project.stacks} == set(stack_names(files)),
    )
    if files.problems:  # in a template or a toolchain that no recipe uses, so that loading did not meet it
        raise ConfigProblems(files.problems)
    texts = {file: files.text(file) for file in files.read}
    return check_world(world, texts)


def _stack(files: ProjectFiles, project: Project, name: str) -> LintStack:
    read = read_stack(files, name)
    if read is None:
        raise AssertionError(f"the stack {name} was there a moment ago")
    recipes = tuple(found for one in read.recipes if (found := _recipe(files, read, one)) is not None)
    components = next(stack.components for stack in project.stacks if stack.name == name)
    return LintStack(read=read, recipes=recipes, components=components)


def _recipe(files: ProjectFiles, stack: ReadStack, name: str) -> ReadRecipe | None:
    return read_recipe(files, stack=stack.name, name=name, file=stack.file(name), defaults=stack.defaults)


def _toolchains(files: ProjectFiles) -> tuple[str, ...]:
    """Those that can be read."""
    names = [name for name, is_folder in files.names(TOOLCHAINS) if name.endswith(".yaml") and not is_folder]
    return tuple(file for name in names if files.yaml(file := f"{TOOLCHAINS}/{name}") is not None)


def _templates(files: ProjectFiles) -> tuple[Template, ...]:
    found = []
    for name, is_folder in files.names(TEMPLATES):
        file = f"{TEMPLATES}/{name}"
        if is_folder or not name.endswith(".j2"):
            continue
        try:
            found.append(Template(name.removesuffix(SUFFIX), file, files.read_text(file)))
        except Unreadable as error:
            files.unreadable(file, error)
    return tuple(found)
