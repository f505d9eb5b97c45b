"""Recipes -> steps for images: base, image, audit, start, and the index over all platforms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.image import Image, ImageFile
from rearch.model.platform import PLATFORMS, Platform
from rearch.model.source import PinnedSource
from rearch.model.stack import Component
from rearch.model.step import Step, StepId, StepKind
from rearch.model.step_images import AuditInputs, ContextFile, ImageInputs, ImageSmokeInputs, IndexInputs
from rearch.planning.base_steps import base_annotations, base_step, index_annotations, packages_digest
from rearch.planning.expand import Expander, source_time
from rearch.planning.facts import Facts
from rearch.planning.graph_smoke import checks_here
from rearch.planning.image_values import (
    PACKAGES,
    PREFIX,
    described,
    image_tag,
    place_of,
    template_values,
    toolchain_annotation,
)
from rearch.planning.inputs import InputsDigests
from rearch.planning.names import pinned_source


class ImagesDisagree(UsageError):
    """What has to be the same on every platform, since one index joins them, differs."""

    def __init__(self, component: str, field: str, values: Iterable[str]) -> None:
        self.component = component
        self.field = field
        super().__init__(
            f"{component}: image.{field} differs by platform: {', '.join(sorted(values))}",
            hint="one index joins all platforms; give each platform another file, label or variable, not another name",
        )


class OnPlatform(Struct, frozen=True, kw_only=True):
    """One component's image on one platform: what its steps have in common. `tree` is the step with its source."""

    component: Component
    platform: Platform
    image: Image
    source: PinnedSource
    expand: Expander
    facts: Facts
    tree: StepId
    digests: InputsDigests

    def id(self, kind: StepKind) -> StepId:
        return StepId(kind, self.component.id, self.platform)

    @property
    def epoch(self) -> int:
        """What everything in the image is dated."""
        return source_time(self.source, self.facts.epoch) or 0


def component_images(
    component: Component, facts: Facts, before: Mapping[StepId, Step], digests: InputsDigests
) -> Iterator[Step]:
    """A component's images on all its platforms, then the index. `before`: the steps that there are already; `digests`
    knows them, and each that is yielded once the next is asked for."""
    source = pinned_source(component, facts.lock, facts.local_digests)
    tree = StepId(StepKind.PATCH, component.id)
    known, ons = set(before), []
    for platform, recipe in component.recipes.items():
        expand = Expander(component.id, source, facts.epoch).on(platform)
        if recipe.image is None:
            continue
        on = OnPlatform(
            component=component,
            platform=platform,
            image=recipe.image,
            source=source,
            expand=expand,
            facts=facts,
            tree=tree,
            digests=digests,
        )
        ons.append(on)
        for step in image_steps(on):
            known.add(step.id)
            yield step
    if ons:
        yield index_step(ons, known)


def image_steps(on: OnPlatform) -> Iterator[Step]:
    """Base, image, audit and start on one platform."""
    bases = tuple(_bases(on))
    yield from bases
    image = _image_step(on, bases)
    yield image
    roles = {"image": image.id}
    audit = AuditInputs(platform=on.platform, allowed=FrozenDict({item.path: item.reason for item in on.image.audit}))
    yield Step(id=on.id(StepKind.AUDIT), inputs=audit, needs=FrozenDict(roles))
    checks = checks_here(on.image.smoke, on.platform, on.expand)
    if checks:
        emulator = on.facts.emulators[on.platform]
        inputs = ImageSmokeInputs(platform=on.platform, checks=checks, emulator=emulator)
        needs = roles | {"audited": on.id(StepKind.AUDIT)}
        yield Step(id=on.id(StepKind.IMAGE_SMOKE), inputs=inputs, needs=FrozenDict(needs))


def _bases(on: OnPlatform) -> Iterator[Step]:
    if on.image.base is not None:
        yield base_step(on.image.base, on.component, on.platform, on.facts, "base")
    for name, base in on.image.stages.items():
        yield base_step(base, on.component, on.platform, on.facts, name)


def _image_step(on: OnPlatform, bases: Sequence[Step]) -> Step:
    names = (*(["base"] if on.image.base else []), *on.image.stages)
    stages = {name: f"stage {name}" for name in names}
    needs = {stages[name]: step.id for name, step in zip(names, bases, strict=True)}
    needs |= _needs(on)
    annotations = described(on.component, on.source, on.expand, on.epoch)
    annotations |= base_annotations(on.image.base, on.platform, on.facts.lock)
    labels = {**annotations, **on.expand.mapping(on.image.labels)}
    # Of the manifest alone: a label would be a line of the Dockerfile, and another image for old engines.
    annotations |= upkeep_annotations((on,))
    rendered = on.facts.render(on.image.template, template_values(on, labels))
    inputs = ImageInputs(
        platform=on.platform,
        builder=on.image.builder,
        dockerfile=rendered.text,
        template=dockerfile_path(on),
        engine=on.facts.engines.get(str(on.platform), ""),
        args=on.expand.mapping(on.image.args),
        stages=FrozenDict(stages),
        context=tuple(_context_file(file, on) for file in on.image.files),
        annotations=FrozenDict({**annotations, **on.expand.mapping(on.image.annotations)}),
        media_types=on.image.media_types,
        compression=on.image.compression,
        source_date_epoch=on.epoch,
    )
    step = Step(id=on.id(StepKind.IMAGE), inputs=inputs, needs=FrozenDict(needs))
    made_from = on.digests.of(step)
    # Docker's types have no annotations: there the image itself says it, and else the index (index_step).
    return step if on.image.media_types == "oci" else replace(step, inputs=replace(inputs, made_from=made_from))


def upkeep_annotations(ons: Sequence[OnPlatform]) -> dict[str, str]:
    """What `stale` compares with the project: of one image, or of an index over several."""
    first = ons[0]
    platforms = [on.platform for on in ons]
    found = toolchain_annotation(first.component, platforms, first.facts)
    packages = packages_digest({on.platform: on.image.base for on in ons}, first.facts.lock)
    return found | ({PACKAGES: packages} if packages else {})


def dockerfile_path(on: OnPlatform) -> str:
    """Where the rendered Dockerfile is left for people: the file whose lines errors name."""
    return f"{on.facts.output}/dockerfiles/{on.platform}/{on.component.name}.Dockerfile"


def _needs(on: OnPlatform) -> dict[str, StepId]:
    """Binaries, and that they were verified; the source, where a file of it is copied."""
    needs: dict[str, StepId] = {}
    stack = on.component.stack
    for file in on.image.files:
        if file.binary is not None:
            subject = f"{stack}/{file.component or on.component.name}"
            needs[binaries_role(file)] = StepId(StepKind.COMPILE, subject, on.platform)
            needs[binaries_role(file, "verified")] = StepId(StepKind.VERIFY, subject, on.platform)
        elif file.source is not None:
            needs["source"] = on.tree
    return needs


def binaries_role(file: ImageFile, what: str = "binaries") -> str:
    """The role of the step that a binary comes from."""
    return f"{what} {file.component}" if file.component else what


def _context_file(file: ImageFile, on: OnPlatform) -> ContextFile:
    place = place_of(file, on.platform)
    if file.binary is not None:
        return ContextFile(place=place, path=f"bin/{file.binary}", role=binaries_role(file))
    if file.source is not None:
        folder = on.component.recipe.build.go.import_path or on.component.name
        path = f"gopath/src/{folder}/{file.source}"
        return ContextFile(place=place, path=path, role="source")
    path = project_file(on.component, file)
    return ContextFile(place=place, path=path, role=None, digest=on.facts.local_digests[path])


def project_file(component: Component, file: ImageFile) -> str:
    """The path of a `file:`, relative to the project."""
    return str(component.folder / "files" / (file.file or ""))


def index_step(ons: Sequence[OnPlatform], known: Collection[StepId]) -> Step:
    """The index over the images of one component; it waits for every check of every platform that is in `known`."""
    first = ons[0]
    component = first.component
    annotations = described(component, first.source, first.expand, first.epoch)
    version = annotations.get(f"{PREFIX}version", "")
    names = {image_tag(on.image, component.id, version, on.expand) for on in ons}
    for field, values in (
        ("repository", {on.image.repository for on in ons}),
        ("tag", names),
        ("media_types", {on.image.media_types for on in ons}),
    ):
        if len(values) > 1:
            raise ImagesDisagree(component.id, field, values)
    needs = {role: step for on in ons for role, step in _index_needs(on) if step in known}
    annotations |= index_annotations(first.image.base, first.facts.lock)
    annotations |= upkeep_annotations(ons)
    inputs = IndexInputs(
        repository=first.image.repository,
        tag=names.pop(),
        platforms=tuple(sorted((on.platform for on in ons), key=PLATFORMS.index)),
        annotations=FrozenDict({**annotations, **first.expand.mapping(first.image.annotations)}),
        media_types=first.image.media_types,
        made_from=FrozenDict(_made_from(ons, known) if first.image.media_types == "oci" else {}),
    )
    return Step(id=StepId(StepKind.INDEX, component.id), inputs=inputs, needs=FrozenDict(needs))


def _made_from(ons: Iterable[OnPlatform], known: Collection[StepId]) -> Iterator[tuple[str, str]]:
    """What each platform's image was made from, and which checks it has passed; and what no image says, but the index:
    its base's own index."""
    for on in ons:
        needs = [(role, step) for role, step in _index_needs(on) if step in known]
        yield str(on.platform), on.digests.together(needs, index_annotations(on.image.base, on.facts.lock))


def _index_needs(on: OnPlatform) -> Iterator[tuple[str, StepId]]:
    yield f"image {on.platform}", on.id(StepKind.IMAGE)
    yield f"audit {on.platform}", on.id(StepKind.AUDIT)
    yield f"start {on.platform}", on.id(StepKind.IMAGE_SMOKE)
    for file in on.image.files:
        if file.binary is not None:
            subject = f"{on.component.stack}/{file.component or on.component.name}"
            yield binaries_role(file, "smoke") + f" {on.platform}", StepId(StepKind.SMOKE, subject, on.platform)
