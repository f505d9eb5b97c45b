"""The images that stages start from: read, and held against the platform."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from rearch.errors import UsageError, VerificationError
from rearch.model.platform import Platform
from rearch.oci.base_layers import told_of_base
from rearch.oci.embedded.tree import Layers, Node, Tree, image_nodes
from rearch.oci.image_tree import overlay
from rearch.oci.image_tree_index import layer_index
from rearch.oci.layout import LayoutImage, read_image


class WrongBase(VerificationError):
    """A base that is for another platform than the image."""

    def __init__(self, template: str, name: str, found: str, wanted: Platform) -> None:
        self.template = template
        self.name = name
        self.found = found
        self.wanted = wanted
        super().__init__(
            f"{template}: the image {name} is for {found}, and cannot be part of one for {wanted}",
            hint=f"take a base that has {wanted}",
        )


class BaseTriggers(UsageError):
    """A base with ONBUILD: what is built on it would have to run that."""

    def __init__(self, template: str, name: str, triggers: tuple[str, ...]) -> None:
        self.template = template
        self.name = name
        self.triggers = triggers
        super().__init__(
            f"{template}: the image {name} has ONBUILD triggers, which the embedded builder does not carry out",
            [f"ONBUILD {trigger}" for trigger in triggers],
            hint="take the image that it was built from and write these lines out, or set `builder: docker`",
        )


class BaseImage:
    """An image that FROM or COPY --from names. Its tree is read when something asks for it."""

    def __init__(self, name: str, layout: Path, image: LayoutImage, cache: Path) -> None:
        self.name = name
        self.layout = layout
        self.image = image
        self._cache = cache

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        layers, indexes = self.image.manifest.layers, []
        for number, layer in enumerate(layers, start=1):
            with told_of_base(self.name, number, layer.digest):
                indexes.append(layer_index(self.layout, layer, self._cache))
        return image_nodes(Layers(name=self.name, layout=self.layout, layers=layers), overlay(indexes))

    def tree(self) -> Tree:
        """A tree of one's own, which may be changed. Errors: BadBaseLayer, BrokenTree; those of open_layer."""
        return Tree(self._nodes, f"the image {self.name}")


class Bases:
    """The images of an order, each read once. `cache` is where the trees of layers are remembered."""

    def __init__(self, template: str, stages: Mapping[str, Path], platform: Platform, cache: Path) -> None:
        self._template = template
        self._stages = stages
        self._platform = platform
        self._cache = cache
        self._read: dict[str, BaseImage] = {}

    def get(self, name: str) -> BaseImage:
        """Errors: WrongBase; those of read_image."""
        if name not in self._read:
            layout = self._stages[name]
            image = read_image(layout)
            found = image.config.platform
            if found != self._platform:
                config = image.config
                says = str(found or "/".join(filter(None, (config.os, config.architecture, config.variant))))
                raise WrongBase(self._template, name, says, self._platform)
            self._read[name] = BaseImage(name, layout, image, self._cache)
        return self._read[name]

    def started(self, name: str) -> BaseImage:
        """The same, to build on. Errors: BaseTriggers."""
        base = self.get(name)
        triggers = base.image.config.config.on_build if base.image.config.config else None
        if triggers:
            raise BaseTriggers(self._template, name, triggers)
        return base
