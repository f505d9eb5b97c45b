"""The Go packages of a tree: which are programs, what they import, and whether they need C."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from rearch.formats.gosource import Token, tokens
from rearch.formats.gotags import constraints, included
from rearch.model.platform import Platform
from rearch.upkeep.inspect_tree import SourceTree, folder_of, is_vendored

# Folders whose programs are for those who work on the repository, not for its users.
_ASIDE = {"build", "contrib", "demo", "doc", "docs", "e2e", "example", "examples", "fixtures", "hack", "integration"}
_ASIDE |= {"internal", "release", "sample", "samples", "script", "scripts", "test", "testing", "tests", "tool", "tools"}
_MOST_PACKAGES = 5000
# Beginning of an import path (empty: of any), and the folder that it leads to.
Roots = tuple[tuple[str, str], ...]
_CGO = re.compile(r"^\s*(?://)?\s*#cgo\b[^:\n]*?\b(LDFLAGS|pkg-config)\s*:\s*(.*)$", re.MULTILINE)
_COMMENT = re.compile(r"^package\s+\w+\s*(?://|/\*)\s*import\s+\"([^\"]+)\"", re.MULTILINE)


class GoFile(Struct, frozen=True, kw_only=True):
    """What stands at the head of a Go file. `canonical` is its import comment (`package x // import "..."`)."""

    path: str
    package: str
    imports: tuple[str, ...]
    canonical: str = ""


class Program(Struct, frozen=True, kw_only=True):
    """A main package. `aside`: in a folder of tests, examples or tools."""

    folder: str
    files: tuple[str, ...]
    imports: tuple[str, ...]
    aside: bool

    @property
    def package(self) -> str:
        """As a recipe writes it."""
        return "." if self.folder == "." else f"./{self.folder}"


class CUse(Struct, frozen=True, kw_only=True):
    """A package with C in it. `needed`: nothing would be left of it without.

    `libraries`: names behind -l, or of pkg-config.
    """

    file: str
    needed: bool
    libraries: tuple[str, ...]


def read_head(path: str, text: str) -> GoFile:
    """The package clause and the imports; the rest of the file is not looked at."""
    package, imports, statement = "", list[str](), list[Token]()
    for token in tokens(text):
        if token.kind == "end":
            package = package or _package(statement)
            imports += [item.text[1:-1] for item in statement if item.kind == "text"]
            statement = []
        elif not statement and token.text not in ("package", "import", ")") and not imports_open(token):
            break
        else:
            statement.append(token)
    found = _COMMENT.search(text)
    return GoFile(path=path, package=package, imports=tuple(imports), canonical=found[1] if found else "")


def imports_open(token: Token) -> bool:
    """What can begin a line inside `import ( ... )`: a path, a name before it, `.` or `_`."""
    return token.kind == "text" or token.text in (".", "_") or (token.kind == "word" and token.text not in _TOP)


_TOP = {"const", "func", "type", "var"}


def _package(statement: list[Token]) -> str:
    return statement[1].text if len(statement) > 1 and statement[0].text == "package" else ""


class GoTree:
    """The Go files of a tree, as a build for one platform sees them; each is read when it is asked for."""

    def __init__(self, tree: SourceTree, platform: Platform) -> None:
        self._tree = tree
        self._platform = platform
        self._heads: dict[str, GoFile] = {}
        self._folders: dict[str, list[str]] = {}
        for path in sorted(tree.paths):
            if path.endswith(".go") and not path.endswith("_test.go"):
                self._folders.setdefault(folder_of(path), []).append(path)

    @property
    def own_folders(self) -> tuple[str, ...]:
        """Folders of the repository's own code that a build can reach."""
        return tuple(folder for folder in self._folders if not is_vendored(f"{folder}/") and _reached(folder))

    def files(self, folder: str, *, cgo: bool = True) -> tuple[GoFile, ...]:
        """The files of a package that the platform compiles."""
        found = (path for path in self._folders.get(folder, ()) if self._included(path, cgo=cgo))
        return tuple(self.head(path) for path in found)

    def head(self, path: str) -> GoFile:
        if path not in self._heads:
            self._heads[path] = read_head(path, self._tree.read(path))
        return self._heads[path]

    def text(self, path: str) -> str:
        return self._tree.read(path)

    def has(self, folder: str) -> bool:
        return folder in self._folders

    def _included(self, path: str, *, cgo: bool) -> bool:
        name = path.rpartition("/")[2]
        return included(name, self._tree.read(path), self._platform, cgo=cgo)

    def programs(self) -> tuple[Program, ...]:
        """Every main package of the repository's own, by folder."""
        found = []
        for folder in self.own_folders:
            files = [file for file in self.files(folder) if file.package == "main"]
            if files and any("func main()" in self.text(file.path) for file in files):
                found.append(_program(folder, files))
        return tuple(found)


def _program(folder: str, files: list[GoFile]) -> Program:
    return Program(
        folder=folder,
        files=tuple(file.path for file in files),
        imports=tuple(sorted({name for file in files for name in file.imports})),
        aside=bool(_ASIDE & set(folder.split("/"))),
    )


def _reached(folder: str) -> bool:
    """go looks into no folder that begins with . or _, or is called testdata (cmd/go, "Package lists")."""
    return folder == "." or not any(part.startswith((".", "_")) or part == "testdata" for part in folder.split("/"))


def reachable(go: GoTree, programs: tuple[Program, ...], roots: Roots) -> Iterator[str]:
    """The folders of all packages of the tree that the programs are made of."""
    queue = [program.folder for program in programs]
    seen = set(queue)
    while queue and len(seen) < _MOST_PACKAGES:
        folder = queue.pop()
        yield folder
        for name in sorted({name for file in go.files(folder) for name in file.imports}):
            target = _folder(go, name, roots)
            if target is not None and target not in seen:
                seen.add(target)
                queue.append(target)


def _folder(go: GoTree, name: str, roots: Roots) -> str | None:
    for beginning, folder in roots:
        if beginning and name != beginning and not name.startswith(f"{beginning}/"):
            continue
        rest = name[len(beginning) :].strip("/")
        path = "/".join(part for part in (folder if folder != "." else "", rest) if part) or "."
        if go.has(path):
            return path
    return None


def c_uses(go: GoTree, folders: Iterable[str]) -> tuple[CUse, ...]:
    """The packages among these that import "C"."""
    found = []
    for folder in folders:
        everything = go.files(folder)
        with_c = [file for file in everything if "C" in file.imports]
        if with_c:
            found.append(_c_use(go, folder, with_c))
    return tuple(sorted(found, key=lambda use: (not use.needed, use.file)))


def _c_use(go: GoTree, folder: str, with_c: list[GoFile]) -> CUse:
    """A package that has a file for builds without cgo (`!cgo`) was made to do without."""
    plain = [file for file in go.files(folder, cgo=False) if "C" not in file.imports]
    prepared = any("!cgo" in one.text for file in plain for one in constraints(go.text(file.path)))
    libraries = {name for file in with_c for name in _libraries(go.text(file.path))}
    return CUse(file=with_c[0].path, needed=not (plain and prepared), libraries=tuple(sorted(libraries)))


def _libraries(text: str) -> Iterator[str]:
    """Those of `#cgo LDFLAGS: -lseccomp` and `#cgo pkg-config: libseccomp` (cmd/cgo), without libc's own."""
    for kind, words in _CGO.findall(text):
        for word in words.split():
            if kind == "pkg-config" and not word.startswith("-"):
                yield word
            elif word.startswith("-l") and word[2:] not in ("c", "m", "dl", "rt", "pthread", "util"):
                yield word[2:]
