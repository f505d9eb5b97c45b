"""Compares what was seen in the layers with the platform, in the light of the whole image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct, field
from msgspec.structs import replace

from rearch.formats.elf import ElfFacts, describe, match_platform
from rearch.formats.printable import printable
from rearch.model.platform import PLATFORMS, Platform
from rearch.oci.audit_libraries import Loader
from rearch.oci.audit_report import Finding
from rearch.oci.audit_seen import ElfSeen, LayerSeen, OtherSeen, Place, ScriptSeen, known_name, shown_path
from rearch.oci.entry import EntryKind
from rearch.oci.image_tree import ImageTree

# Code for the kernel's own machine (EM_BPF), which every architecture has; only the byte order has to be right.
_EM_BPF = 247


class Judge(Struct, dict=True):
    """One image's layers and tree, and what they are held against."""

    tree: ImageTree
    layers: Sequence[LayerSeen]
    platform: Platform
    library_path: str = ""
    _reached: set[str] = field(default_factory=set)

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong, layer by layer."""
        for number, layer in enumerate(self.layers):
            for seen in layer.elves:
                yield from self._elf(number, seen)
            for other in layer.others:
                yield from self._other(number, other)
            for script in layer.scripts:
                yield from self._script(number, script)
        yield from self._libraries()

    @cached_property
    def names(self) -> Mapping[tuple[int, int], tuple[str, ...]]:
        """(layer, number of the entry) -> the paths of the tree that have its content."""
        found: dict[tuple[int, int], list[str]] = {}
        for path, entry in self.tree.entries.items():
            found.setdefault((entry.layer, entry.number), []).append(path)
        return {key: tuple(paths) for key, paths in found.items()}

    @cached_property
    def elves(self) -> Mapping[str, ElfSeen]:
        """The ELF files of the tree itself, by path; those inside of archives are none that a loader finds."""
        found: dict[str, ElfSeen] = {}
        for number, layer in enumerate(self.layers):
            for seen in layer.elves:
                if not seen.packed:
                    found |= dict.fromkeys(self.names.get((number, seen.number), ()), seen)
        return found

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """The small files of the tree, by path."""
        known = {(n, text.number): text.text for n, layer in enumerate(self.layers) for text in layer.texts}
        return {path: known[key] for key, paths in self.names.items() if key in known for path in paths}

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """Path of the tree -> package. A package may name a path through a link of the tree: /bin/ls is usr/bin/ls."""
        found: dict[str, str] = {}
        for layer in self.layers:
            for package in layer.packages:
                for path in package.paths:
                    found[path] = package.package
                    folder, _, name = path.rpartition("/")
                    place = self.tree.find(folder)
                    if isinstance(place, str) and place != folder:
                        found[f"{place}/{name}".lstrip("/")] = package.package
        return found

    def _elf(self, layer: int, seen: ElfSeen) -> Iterator[Finding]:
        if seen.facts is None:
            why = [f"broken ELF file: {seen.broken}", *_broken_machine(seen, self.platform)]
            yield self._found("elf", layer, seen, "ELF file", tuple(why))
        elif seen.facts.machine != _EM_BPF or seen.facts.little_endian != self.platform.arch.little_endian:
            # Which loader it asks for is judged by what is in the tree, and not by where one usually lies.
            why = [str(each) for each in match_platform(seen.facts, self.platform) if each.what != "interpreter"]
            if why:
                yield self._found("elf", layer, seen, describe(seen.facts), tuple(why))

    def _other(self, layer: int, seen: OtherSeen) -> Iterator[Finding]:
        found = self._found(seen.kind, layer, seen, "", (seen.what,))
        yield found if seen.kind in ("limit", "behind") else replace(found, severity="warning")

    def _script(self, layer: int, seen: ScriptSeen) -> Iterator[Finding]:
        names = self.names.get((layer, seen.number), ())
        if not names or self._is_there(seen.interpreter):
            return
        wanted = printable(seen.interpreter)
        why = f"a script for {wanted}, which is not in the image"
        found = self._found("script", layer, seen, wanted, (why,))
        yield replace(found, severity="warning")

    def _is_there(self, path: str) -> bool:
        if not path.startswith("/"):
            return True  # relative to wherever it is started
        found = self.tree.get(path)
        return found is not None and found.entry.kind is EntryKind.FILE

    def _libraries(self) -> Iterator[Finding]:
        """Programs are started as the loader would; libraries that no program asks for are plugins of something."""
        right = {path: seen for path, seen in sorted(self.elves.items()) if self._is_right(seen.facts)}
        loader = Loader(self.tree, self.elves, self.texts, self.platform, self.library_path)
        missing: dict[str, set[str]] = {}
        for path, seen in right.items():
            if seen.facts is not None and seen.facts.kind in ("exec", "pie"):
                yield from self._interpreter(path, seen)
                for each in loader.program(path, self._reached):
                    place = self.tree.find(each.path)
                    missing.setdefault(place if isinstance(place, str) else path, set()).add(each.library)
        for path, libraries in sorted(missing.items()):
            yield self._missing(path, libraries)
        for path in sorted(right.keys() - self._reached - missing.keys()):
            facts = right[path].facts
            if facts is not None and facts.kind == "shared" and (alone := {m.library for m in loader.library(path)}):
                yield replace(self._missing(path, alone), severity="warning")

    def _is_right(self, facts: ElfFacts | None) -> bool:
        if facts is None:
            return False
        return not any(each.what in ("machine", "class", "byte order") for each in match_platform(facts, self.platform))

    def _interpreter(self, path: str, seen: ElfSeen) -> Iterator[Finding]:
        wanted = seen.facts.interpreter if seen.facts else None
        if wanted is not None and not self._is_there(wanted):
            layer = self.tree.entries[path].layer
            why = f"interpreter: it asks for {wanted}, which is not in the image"
            yield self._found("interpreter", layer, seen, describe(seen.facts) if seen.facts else "", (why,))

    def _missing(self, path: str, libraries: set[str]) -> Finding:
        seen, layer = self.elves[path], self.tree.entries[path].layer
        why = tuple(f"library: it asks for {name}, which is not in the image" for name in sorted(libraries))
        return self._found("library", layer, seen, describe(seen.facts) if seen.facts else "", why)

    def _found(
        self, kind: str, layer: int, seen: ElfSeen | OtherSeen | ScriptSeen, what: str, why: tuple[str, ...]
    ) -> Finding:
        names = self.names.get((layer, seen.number), ())
        place = Place(path=seen.path) if isinstance(seen, ScriptSeen) else seen.place
        known = tuple(known_name(name) for name in names)
        if known and place.path not in known:
            place = replace(place, path=known[0])
        owner = next((self.owners[name] for name in (*names, place.path) if name in self.owners), "")
        return Finding(
            severity="error" if names else "warning",
            kind=kind,
            path=str(place),
            names=tuple("/" + shown_path(name) for name in known),
            hidden=not names,
            layer=layer,
            digest=self.tree.layers[layer].digest,
            package=owner,
            what=what,
            why=why,
        )


def _broken_machine(seen: ElfSeen, platform: Platform) -> Iterator[str]:
    """What little can be said of a file that is cut off."""
    row = platform.arch
    if seen.machine is not None and seen.machine != row.elf_machine:
        known = next((p for p in PLATFORMS if p.arch.elf_machine == seen.machine), None)
        name = known.arch.triplet.partition("-")[0] if known else f"machine {seen.machine}"
        yield f"machine: found {name}, wanted {row.triplet.partition('-')[0]} ({platform})"
