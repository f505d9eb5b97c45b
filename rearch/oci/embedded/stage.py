"""Carries out one stage: instruction after instruction, the config at once, the layers as lists of what is in them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from rearch.oci.dockerfile.errors import BadDockerfile, Trouble
from rearch.oci.dockerfile.instructions import Add, Cmd, Copy, StageInstruction, Workdir
from rearch.oci.dockerfile.stages import Earlier, Image, Nothing, PlannedStage, Start
from rearch.oci.dockerfile.values import Mode
from rearch.oci.embedded.bases import BaseImage, Bases
from rearch.oci.embedded.changes import Changes
from rearch.oci.embedded.config import configured, empty_config, started_config, timestamp
from rearch.oci.embedded.contents import Contents
from rearch.oci.embedded.context import Context
from rearch.oci.embedded.copy import Target, check_link, check_target, copy_file, copy_one, find_target
from rearch.oci.embedded.owners import Owner, find_owner
from rearch.oci.embedded.sources import Found, find_sources
from rearch.oci.embedded.tree import Node, Tree
from rearch.oci.embedded.unpack import is_archive, unpack
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.ignore import IgnoreRules
from rearch.oci.order import ImageOrder, dated
from rearch.oci.types import ImageConfig, RunConfig

# /etc/passwd and /etc/group of an image.
_ACCOUNTS_LIMIT = 4 << 20

Layer = tuple[LayerEntry, ...]


class Work(Struct):
    """What the stages of one build share."""

    order: ImageOrder
    bases: Bases
    contents: Contents
    done: dict[int, BuiltStage] = field(default_factory=dict)
    _context: Context | None = None

    @property
    def context(self) -> Context:
        """The context, read when it is first needed."""
        if self._context is None:
            self._context = Context(self.order.context, self.order.digests)
        return self._context

    def tree(self, start: Start) -> Tree:
        """The tree of a stage or image, to be copied from or grown: a new one each time."""
        match start:
            case Earlier(number):
                before = self.done[number].tree()
                return Tree(before.nodes, before.name)
            case Image(name):
                return self.bases.get(name).tree()
            case Nothing():
                return Tree({}, "the image")


class BuiltStage(Struct, frozen=True, kw_only=True):
    """A stage that was carried out: config, the image below it, and its own layers, the lowest first."""

    config: ImageConfig
    base: BaseImage | None
    layers: tuple[Layer, ...]
    tree: Callable[[], Tree]


def build_stage(stage: PlannedStage, work: Work) -> BuiltStage:
    """Carry out a stage. Errors: BadDockerfile with the line; those of the base; ArchiveError of an archive."""
    builder = _begin(stage.start, stage, work)
    for each in stage.instructions:
        try:
            builder.carry_out(each)
        except Trouble as trouble:
            raise BadDockerfile(work.order.template, [trouble.at(each.where.first)]) from None
    return BuiltStage(config=builder.config, base=builder.base, layers=tuple(builder.layers), tree=builder.own_tree)


def _begin(start: Start, stage: PlannedStage, work: Work) -> _Stage:
    platform, epoch = work.order.platform, work.order.epoch
    match start:
        case Nothing():
            return _Stage(work, stage.sources, start, empty_config(platform, epoch), None, [])
        case Image(name):
            base = work.bases.started(name)
            return _Stage(work, stage.sources, start, started_config(base.image.config, platform, epoch), base, [])
        case Earlier(number):
            before = work.done[number]
            return _Stage(work, stage.sources, start, before.config, before.base, list(before.layers))


class _Stage(Struct):
    work: Work
    sources: Mapping[str, Start]
    start: Start
    config: ImageConfig
    base: BaseImage | None
    layers: list[Layer]
    _tree: Tree | None = None
    _cmd_is_set: bool = False

    def own_tree(self) -> Tree:
        """The stage's tree. Until something is copied or looked up, nobody needs it."""
        if self._tree is None:
            self._tree = self.work.tree(self.start)
        return self._tree

    def carry_out(self, each: StageInstruction) -> None:
        self.config = configured(self.config, each, cmd_is_set=self._cmd_is_set)
        self._cmd_is_set = self._cmd_is_set or isinstance(each, Cmd)
        changed = self._changed(each)
        if changed:
            self.layers.append(changed.entries(self.work.contents))
        self._note(each, empty=not changed)

    def _changed(self, each: StageInstruction) -> Changes | None:
        match each:
            case Copy() | Add():
                return self._copied(each)
            case Workdir():
                return self._made_folder()
            case _:
                return None

    def _note(self, each: StageInstruction, *, empty: bool) -> None:
        line = dated(" ".join(each.where.text.split()), timestamp(self.work.order.epoch), empty=empty)
        self.config = replace(self.config, history=(*(self.config.history or ()), line))

    @property
    def _run(self) -> RunConfig:
        return self.config.config or RunConfig()

    def _made_folder(self) -> Changes | None:
        """WORKDIR makes its folder, for the USER that was set before it, as BuildKit does."""
        path = (self._run.working_dir or "/").strip("/")
        if not path:
            return None
        owner = self._owner(self._run.user) if self._run.user else None
        changes = Changes(self.own_tree(), self.work.order.epoch, owner)
        changes.folders(self.own_tree().place(path) or "")
        return changes

    def _owner(self, text: str) -> Owner:
        return find_owner(text, self._read_file)

    def _read_file(self, path: str) -> bytes | None:
        """A small file of the image."""
        tree = self.own_tree()
        real = tree.find(path)
        node = tree.get(real) if real is not None else None
        if node is None or node.entry.kind is not EntryKind.FILE:
            return None
        if node.entry.size > _ACCOUNTS_LIMIT:
            raise Trouble(f"/{path} of the image has more than {_ACCOUNTS_LIMIT} bytes")
        self.work.contents.take([node])
        return self.work.contents.of(node).path.read_bytes()

    # --- COPY and ADD

    def _copied(self, each: Copy | Add) -> Changes:
        tree = self.own_tree()
        source = self._source(each)
        target = find_target(each.target, self._run.working_dir or "/")
        changes = Changes(
            tree,
            self.work.order.epoch,
            self._owner(each.chown) if each.chown is not None else None,
            Mode(each.chmod) if each.chmod is not None else None,
        )
        found = tuple(one for text in each.sources for one in find_sources(source, text))
        if not found and not each.heredocs:
            raise Trouble(f"nothing in {source.name} matches {' '.join(each.sources)}")
        check_target(target, found, tree, len(each.sources) + len(each.heredocs))
        if each.link:
            check_link(target, tree)
        left_out = IgnoreRules([("--exclude", pattern) for pattern in each.exclude])
        for one in found:
            if not (isinstance(each, Add) and self._unpacked(each, source, one, target, changes)):
                copy_one(source, one, target, changes, left_out)
        self._documents(each, target, changes)
        return changes

    def _source(self, each: Copy | Add) -> Tree:
        if isinstance(each, Copy) and each.stage is not None:
            tree = self.work.tree(self.sources[each.stage])
            tree.name = f"the image {each.stage}"
            return tree
        return self.work.context

    def _unpacked(self, each: Add, source: Tree, one: Found, target: Target, changes: Changes) -> bool:
        node = source.get(one.path)
        path = node.entry.content if node is not None else None
        if path is None or each.unpack is False:
            return False
        name = f"{self.work.order.template}:{each.where.first}: {one.path}"
        if not is_archive(path, name):
            return False
        unpack(path, name, changes.tree.place(target.path) or "", changes, self.work.contents)
        return True

    def _documents(self, each: Copy | Add, target: Target, changes: Changes) -> None:
        """Here-documents are files, 0644, by the name behind the `<<`."""
        place = Target(changes.tree.place(target.path) or "", target.folder)
        for heredoc in each.heredocs:
            data = heredoc.text.encode("utf-8", "surrogateescape")
            content, size = self.work.contents.keep(io.BytesIO(data))
            entry = LayerEntry(
                path=heredoc.name,
                kind=EntryKind.FILE,
                mode=0o644,
                size=size,
                content=content.path,
                digest=content.digest,
            )
            copy_file(Node(entry=entry), heredoc.name, place, changes)
