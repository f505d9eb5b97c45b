"""Fills a place: compare, stage, read back, put into place, read back again. What is right is not sent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rearch.errors import RearchError
from rearch.formats.elf import BrokenElf, match_platform, read_elf
from rearch.formats.elf_facts import ElfFacts, describe
from rearch.formats.hashing import sha256_file
from rearch.model.volumes import STAGING
from rearch.volumes.compare import Change, compare, difference, is_as_wanted, kind_of, look_for
from rearch.volumes.errors import NotAsWritten, SourceChanged, VolumeInUse, WrongProgram
from rearch.volumes.place import Place, staged
from rearch.volumes.things import Content, File, Found, FoundFile, Thing


def fill(content: Content, place: Place, *, in_use: bool = False) -> tuple[Change, ...]:
    """Make the place hold the content, and tell what was done. Other things in it are left alone.

    `in_use`: write although running containers use it. Until all new files lie beside the old ones, and have been read
    back, nothing of the old is touched.
    Errors: InTheWay, VolumeInUse, SourceChanged, WrongProgram, VolumeFull, NotAsWritten; those of the place.
    """
    changes = compare(content, place.look, owners=place.sets_owners)
    todo = tuple(change.thing for change in changes if change.action != "keep")
    left_over = place.look(STAGING, brief=True) is not None  # by a run that was killed
    if not todo and not left_over:
        return changes
    if todo and not in_use and (users := place.users()):
        raise VolumeInUse(content.volume, users)
    files = tuple(thing for thing in todo if isinstance(thing, File))
    for file in files:
        _check_source(file)
    if left_over:
        place.tidy()
    try:
        _write(content, place, todo, files)
    except BaseException:
        # What went wrong is told; that the place, which may be why, cannot be tidied up either is not.
        with suppress(RearchError, OSError):
            place.tidy()
        raise
    if files:
        place.tidy()
    return changes


def _write(content: Content, place: Place, todo: Sequence[Thing], files: Sequence[File]) -> None:
    if files:
        place.stage(files, content.mtime)
    for number, file in enumerate(files):
        _check_back(content, file, place.look(staged(number)), place, untouched=True)
    if todo:
        place.swap(todo, content.mtime)
    for thing in todo:
        _check_back(content, thing, look_for(thing, place.look), place, untouched=False)


def _check_source(file: File) -> None:
    """Whether the bytes that will be sent are the verified ones, and for the platform."""
    try:
        if file.source.stat().st_size != file.size or sha256_file(file.source) != file.sha256:
            raise SourceChanged(file)
        facts = read_elf(file.source)
    except FileNotFoundError:
        raise SourceChanged(file) from None
    except BrokenElf as error:
        raise WrongProgram(file, str(file.source), (error.reason,)) from None
    _check_program(file, facts, str(file.source))


def _check_program(file: File, facts: ElfFacts | None, where: str) -> None:
    if facts is None:
        if file.program:
            raise WrongProgram(file, where, ("it is no ELF file",))
        return
    differences = match_platform(facts, file.platform)
    if differences:
        raise WrongProgram(file, where, (describe(facts), *map(str, differences)))


def _check_back(content: Content, thing: Thing, found: Found | None, place: Place, *, untouched: bool) -> None:
    """Errors: NotAsWritten, WrongProgram."""
    if not is_as_wanted(thing, found, owners=place.sets_owners):
        raise NotAsWritten(content.volume, thing.path, _in_words(thing, found, place), untouched=untouched)
    if isinstance(thing, File) and isinstance(found, FoundFile):
        _check_program(thing, found.elf, place.name)


def _in_words(thing: Thing, found: Found | None, place: Place) -> str:
    if found is None:
        return "not there"
    if kind_of(found) != kind_of(thing):
        return f"a {kind_of(found)}"
    return f"different: {difference(thing, found, owners=place.sets_owners)}"
