"""Finds what the loader would find: the shared libraries of a program, in the image's own tree.

Order of search: ld.so(8) of glibc (DT_RPATH of the library and of those that asked for it, where the library has no
DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH; what /etc/ld.so.conf names; the default folders). Debian's default folders
have the multiarch triplet in them (glibc's configuration there), and its ld.so.cache is left out of images, or made of
the same folders. musl reads /etc/ld-musl-<arch>.path instead and brings some libraries in itself.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec import Struct, field

from rearch.model.platform import Platform
from rearch.oci.audit_seen import ElfSeen
from rearch.oci.image_tree import ImageTree

# Parts of musl itself under other names (ldso/dynlink.c, load_library).
_MUSL_OWN = ("libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet.")
_INCLUDES = 8


class Loaded(Struct, frozen=True):
    """A file in the memory of a program: the path it was found under, its facts, and who asked for it."""

    path: str
    seen: ElfSeen
    asker: Loaded | None = None


class MissingLibrary(Struct, frozen=True, order=True):
    """`library` is asked for by the file `path`, and is not in the tree."""

    path: str
    library: str


class Loader(Struct, dict=True):
    """The loader of one image. `elves` are the ELF files of the tree by path, `texts` the small files, `library_path`
    is LD_LIBRARY_PATH of the image's environment."""

    tree: ImageTree
    elves: Mapping[str, ElfSeen]
    texts: Mapping[str, str]
    platform: Platform
    library_path: str = ""
    _found: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def program(self, path: str, reached: set[str]) -> Iterator[MissingLibrary]:
        """What is missing when the program is started; every library that it loads is put into `reached`."""
        start = Loaded(path, self.elves[path])
        yield from self._load(start, reached)

    def library(self, path: str) -> Iterator[MissingLibrary]:
        """What of its own wishes a library cannot be given, if it is loaded by itself."""
        alone = Loaded(path, self.elves[path])
        for name in self._needed(alone):
            if self._search(alone, alone, name) is None:
                yield MissingLibrary(path, name)

    def _load(self, start: Loaded, reached: set[str]) -> Iterator[MissingLibrary]:
        """Breadth first, as the loader does: a library is loaded once, under whichever name it was asked for first."""
        loaded, todo = {start.path}, [start]
        known = set[str]()
        while todo:
            asker = todo.pop(0)
            for name in self._needed(asker):
                if name in known:
                    continue
                known.add(name)
                found = self._search(start, asker, name)
                if found is None:
                    yield MissingLibrary(asker.path, name)
                    continue
                place = self.tree.resolve(found)
                reached.add(place)
                if place not in loaded:
                    loaded.add(place)
                    known.add((self._facts_soname(place)) or name)
                    todo.append(Loaded(found, self.elves[place], asker))

    def _facts_soname(self, place: str) -> str | None:
        facts = self.elves[place].facts
        return facts.soname if facts else None

    def _needed(self, asker: Loaded) -> tuple[str, ...]:
        """What has to be looked for: the loader itself, which a C library may ask for, is there already."""
        facts = asker.seen.facts
        if facts is None:
            return ()
        own = {path.rpartition("/")[2] for path in self._loaders}
        musl = self.platform.arch.musl_loader in self._loaders
        return tuple(name for name in facts.needed if name not in own and not (musl and name.startswith(_MUSL_OWN)))

    @cached_property
    def _loaders(self) -> tuple[str, ...]:
        row = self.platform.arch
        return tuple(path for path in (row.glibc_loader, row.musl_loader) if self.tree.get(path) is not None)

    def _search(self, program: Loaded, asker: Loaded, name: str) -> str | None:
        """The path under which the loader finds it."""
        if "/" in name:  # a path; a relative one depends on where the program is started
            return self._fitting(name) if name.startswith("/") else None
        for folder in self._folders(program, asker):
            found = self._fitting_in(folder, name)
            if found is not None:
                return found
        return None

    def _folders(self, program: Loaded, asker: Loaded) -> Iterator[str]:
        if not asker.seen.runpath:
            each: Loaded | None = asker
            while each is not None:
                if not each.seen.runpath:
                    yield from self._expanded(each.seen.rpath, each)
                each = each.asker
            if not program.seen.runpath:
                yield from self._expanded(program.seen.rpath, program)
        yield from (folder for folder in self.library_path.split(":") if folder.startswith("/"))
        yield from self._expanded(asker.seen.runpath, asker)
        yield from self._usual

    def _expanded(self, folders: tuple[str, ...], owner: Loaded) -> Iterator[str]:
        """$ORIGIN is the folder of the file that says it; $LIB as Debian's glibc has it."""
        origin = "/" + owner.path.lstrip("/").rpartition("/")[0]
        names = {"ORIGIN": origin, "LIB": f"lib/{self.platform.arch.triplet}"}
        for folder in folders:
            text = folder
            for name, value in names.items():
                text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
            if text.startswith("/"):
                yield text

    def _fitting_in(self, folder: str, name: str) -> str | None:
        key = (folder, name)
        if key not in self._found:
            self._found[key] = self._fitting(f"{folder.rstrip('/')}/{name}")
        return self._found[key]

    def _fitting(self, path: str) -> str | None:
        """The path, if it leads to an ELF file of this platform's machine: any other the loader passes over."""
        place = self.tree.find(path)
        seen = self.elves.get(place) if isinstance(place, str) else None
        if seen is None or seen.facts is None:
            return None
        row = self.platform.arch
        fits = (seen.facts.machine, seen.facts.bits) == (row.elf_machine, row.bits)
        return path if fits else None

    @cached_property
    def _usual(self) -> tuple[str, ...]:
        row = self.platform.arch
        musl = self._musl_path() if row.musl_loader in self._loaders else ()
        if musl and row.glibc_loader not in self._loaders:
            return musl
        wide = (f"/lib{row.bits}", f"/usr/lib{row.bits}")
        default = (f"/lib/{row.triplet}", f"/usr/lib/{row.triplet}", *wide, "/lib", "/usr/lib")
        return tuple(dict.fromkeys((*self._configured("etc/ld.so.conf"), *default, *musl)))

    def _musl_path(self) -> tuple[str, ...]:
        """Folders one a line or with colons between; without the file, musl has these."""
        name = self.platform.arch.musl_loader.rpartition("/")[2].partition(".")[0]
        text = self.texts.get(f"etc/{name}.path", "/lib:/usr/local/lib:/usr/lib")
        return tuple(folder for folder in text.replace(":", "\n").split() if folder.startswith("/"))

    def _configured(self, path: str, depth: int = 0) -> Iterator[str]:
        """ldconfig(8): a folder a line, `include` with a pattern, comments behind #."""
        for raw in self.texts.get(path, "").splitlines():
            line = raw.partition("#")[0].strip()
            word, _, rest = line.partition(" ")
            if word == "include" and depth < _INCLUDES:
                for pattern in rest.split():
                    full = pattern if pattern.startswith("/") else f"/etc/{pattern}"
                    for other in sorted(fnmatch.filter(self.texts, full.lstrip("/"))):
                        yield from self._configured(other, depth + 1)
            elif line.startswith("/"):
                yield line.partition("=")[0].strip()
