"""COPY and WORKDIR: what lands where, with what mode and owner. The trees are those that BuildKit was seen to make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rearch.oci.dockerfile.errors import BadDockerfile
from tests.support.embedded import ARM64, EPOCH, Bench
from tests.support.layouts import File, Folder, Hard, Link, Thing, make_image

PASSWD = b"root:x:0:0::/:/bin/sh\nme:x:7:8::/home:/bin/sh\n"
GROUP = b"root:x:0:\ngrp:x:9:me\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A context, and a base with merged /usr and two accounts."""
    bench = Bench(tmp_path)
    things: list[Thing] = [
        Folder("etc"),
        File("etc/passwd", PASSWD, 0o644),
        File("etc/group", GROUP, 0o644),
        Folder("usr"),
        Folder("usr/bin", 0o711),
        Link("bin", "usr/bin"),
        Link("nowhere", "/made/later"),
        Link("loop", "loop"),
        File("usr/bin/one", b"one"),
        Hard("usr/bin/two", "usr/bin/one"),
    ]
    make_image(tmp_path / "base", ARM64, [things[:3], things[3:]], compress=True)
    bench.stages["base"] = tmp_path / "base"
    bench.put("f", "f")
    bench.put("tree/sub/deep", "deep", 0o600)
    bench.put("tree/x", "x", 0o755)
    bench.link("tree/l", "../outside")
    (bench.context / "tree/sub").chmod(0o700)
    bench.link("lf", "tree/x")
    bench.link("ld", "tree")
    return bench


def _new(bench: Bench, text: str) -> dict[str, str]:
    """What a Dockerfile adds to or changes in the base."""
    before = bench.build("FROM base\n").lines()
    after = bench.build(f"FROM base\n{text}").lines()
    return {path: line for path, line in after.items() if before.get(path) != line}


def _problems(bench: Bench, text: str) -> list[str]:
    with pytest.raises(BadDockerfile) as caught:
        bench.build(f"FROM base\n{text}")
    return [f"{problem.line}: {problem.text}" for problem in caught.value.problems]


def test_a_file_to_a_name_or_into_a_folder(bench: Bench) -> None:
    assert _new(bench, "COPY f /a\nCOPY f /b/\nCOPY f /etc\nCOPY f /c/d/e\nWORKDIR /w\nCOPY f .\nCOPY f g\n") == {
        "a": "file 0644 0:0 f",
        "b": "folder 0755 0:0",
        "b/f": "file 0644 0:0 f",
        "etc/f": "file 0644 0:0 f",
        "c": "folder 0755 0:0",
        "c/d": "folder 0755 0:0",
        "c/d/e": "file 0644 0:0 f",
        "w": "folder 0755 0:0",
        "w/f": "file 0644 0:0 f",
        "w/g": "file 0644 0:0 f",
    }


def test_a_folder_is_what_is_in_it(bench: Bench) -> None:
    tree = {
        "sub": "folder 0700 0:0",
        "sub/deep": "file 0600 0:0 deep",
        "x": "file 0755 0:0 x",
        "l": "link 0:0 -> ../outside",
    }
    new = {"t": "folder 0755 0:0", **{f"t/{path}": line for path, line in tree.items()}}
    for text in (
        "COPY tree /t\n",
        "COPY tree/ /t/\n",
        "COPY ./f/../tree /t\n",
        "COPY ld /t\n",
        "WORKDIR /t\nCOPY tree .\n",
    ):
        assert _new(bench, text) == new, text


def test_a_folder_that_is_there_keeps_its_mode_and_those_below_take_the_sources(bench: Bench) -> None:
    bench.put("u/bin/y", "y")
    (bench.context / "u").chmod(0o700)
    (bench.context / "u/bin").chmod(0o750)
    assert _new(bench, "COPY u /usr\n") == {"usr/bin": "folder 0750 0:0", "usr/bin/y": "file 0644 0:0 y"}


def test_a_target_through_links_of_the_base_lands_where_they_lead(bench: Bench) -> None:
    assert _new(bench, "COPY f /bin/\nCOPY f /nowhere\nCOPY tree/x /bin/../lib\n") == {
        "usr/bin/f": "file 0644 0:0 f",
        "made": "folder 0755 0:0",
        "made/later": "file 0644 0:0 f",
        "lib": "file 0755 0:0 x",
    }


def test_a_source_that_is_a_link_is_what_it_leads_to(bench: Bench) -> None:
    assert _new(bench, "COPY lf /lf2\nCOPY lf /d/\n") == {
        "lf2": "file 0755 0:0 x",
        "d": "folder 0755 0:0",
        "d/lf": "file 0755 0:0 x",
    }


def test_chown_by_number_and_by_names_of_the_image(bench: Bench) -> None:
    text = (
        "COPY --chown=5 f /a\nCOPY --chown=me f /b\nCOPY --chown=me:grp f /c\nCOPY --chown=:grp f /d\n"
        "COPY --chown=0:me f /no\n"
    )
    assert _problems(bench, text) == ["6: /etc/group of the image has no group me"]
    assert _new(bench, "\n".join(text.splitlines()[:-1])) == {
        "a": "file 0644 5:5 f",
        "b": "file 0644 7:8 f",
        "c": "file 0644 7:9 f",
        "d": "file 0644 0:9 f",
    }


def test_folders_made_on_the_way_belong_to_chown_and_others_are_left(bench: Bench) -> None:
    assert _new(bench, "COPY --chown=5:6 f /n/m/f\nCOPY --chown=me tree/sub /etc\n") == {
        "n": "folder 0755 5:6",
        "n/m": "folder 0755 5:6",
        "n/m/f": "file 0644 5:6 f",
        "etc/deep": "file 0600 7:8 deep",
    }


def test_chmod_of_files_and_folders_but_not_of_links(bench: Bench) -> None:
    new = _new(bench, "COPY --chmod=640 tree /t\nCOPY --chmod=u=rwX,go=rX tree /s\nCOPY --chmod=4755 f /set\n")
    assert (new["t"], new["t/sub"], new["t/x"]) == ("folder 0755 0:0", "folder 0640 0:0", "file 0640 0:0 x")
    assert new["t/l"] == "link 0:0 -> ../outside"
    assert (new["s/sub"], new["s/sub/deep"], new["s/x"]) == (
        "folder 0755 0:0",
        "file 0644 0:0 deep",
        "file 0755 0:0 x",
    )
    assert new["set"] == "file 4755 0:0 f"


def test_names_that_accounts_of_an_earlier_copy_brought(bench: Bench) -> None:
    bench.put("etc/passwd", "new:x:11:12::/:/x\n")
    assert _new(bench, "COPY etc /etc\nCOPY --chown=new f /f\n")["f"] == "file 0644 11:12 f"


def test_workdir_makes_its_folder_for_the_user_before_it(bench: Bench) -> None:
    built = bench.build("FROM base\nWORKDIR /w\nWORKDIR a/../b\nUSER me\nWORKDIR /bin/x/y\nWORKDIR /etc\n")
    lines = built.lines()
    assert (lines["w"], lines["w/b"]) == ("folder 0755 0:0", "folder 0755 0:0")
    assert (lines["usr/bin/x"], lines["usr/bin/x/y"]) == ("folder 0755 7:8", "folder 0755 7:8")
    assert built.run.working_dir == "/etc"
    # /etc was there: no layer.
    assert len(built.image.layers) == 2 + 3


def test_wildcards(bench: Bench) -> None:
    bench.put("conf/a.conf", "a")
    bench.put("conf/b.conf", "b")
    bench.put("conf/c.txt", "c")
    assert _new(bench, "COPY conf/*.conf none* /d/\nCOPY co?f/[c-d].txt /e\n") == {
        "d": "folder 0755 0:0",
        "d/a.conf": "file 0644 0:0 a",
        "d/b.conf": "file 0644 0:0 b",
        "e": "file 0644 0:0 c",
    }


def test_excluded_files(bench: Bench) -> None:
    assert set(_new(bench, "COPY --exclude=sub --exclude=l tree /t\nCOPY --exclude=*x tree/x f /u/\n")) == {
        "t",
        "t/x",
        "u",
        "u/f",
    }


def test_link_follows_no_link_and_says_so(bench: Bench) -> None:
    assert set(_new(bench, "COPY --link f /usr/bin/f\nCOPY --link tree/x /new/\n")) == {"usr/bin/f", "new", "new/x"}
    assert _problems(bench, "COPY --link f /bin/f\n") == [
        "2: --link follows no links, and /bin/f is /usr/bin/f in the image"
    ]


def test_here_documents(bench: Bench) -> None:
    text = "ENV A=1\nCOPY <<one <<'two' f /d/\n\"$A\" \\$A\none\n$A\ntwo\nCOPY --chmod=755 <<EOF /bin/run\nx\nEOF\n"
    assert _new(bench, text) == {
        "d": "folder 0755 0:0",
        "d/f": "file 0644 0:0 f",
        "d/one": 'file 0644 0:0 "1" $A',
        "d/two": "file 0644 0:0 $A",
        "usr/bin/run": "file 0755 0:0 x",
    }


def test_from_a_stage_or_image_with_owners_and_hard_links(bench: Bench) -> None:
    text = (
        "FROM base AS s\nCOPY --chown=3:4 f /usr/bin/f\nFROM scratch\nCOPY --from=s /bin /b\n"
        "COPY --from=base /bin/two /two\n"
    )
    assert bench.build(text).lines() == {
        "b": "folder 0755 0:0",
        "b/f": "file 0644 3:4 f",
        "b/one": "file 0755 0:0 one",
        "b/two": "file 0755 0:0 one = b/one",
        "two": "file 0755 0:0 one",
    }


def test_two_names_of_one_file_in_the_context_are_two_files(bench: Bench) -> None:
    bench.put("h/a", "same")
    os.link(bench.context / "h/a", bench.context / "h/b")
    built = bench.build("FROM scratch\nCOPY h /h\n")
    assert built.lines()["h/b"] == "file 0644 0:0 same"


def test_a_layer_has_the_folders_above_its_files_as_they_are_and_one_time(bench: Bench) -> None:
    built = bench.build("FROM base\nCOPY f tree/x /bin/\n")
    entries = built.layer(2)
    assert [(entry.path, entry.mode, entry.mtime) for entry in entries] == [
        ("usr", 0o755, EPOCH),
        ("usr/bin", 0o711, EPOCH),
        ("usr/bin/f", 0o644, EPOCH),
        ("usr/bin/x", 0o755, EPOCH),
    ]


def test_ignored_files_are_not_there(bench: Bench) -> None:
    bench.put(".dockerignore", "tree\n!tree/x\n")
    assert set(_new(bench, "COPY tree /t\n")) == {"t", "t/x"}
    assert _problems(bench, "COPY tree/sub/deep /t\n") == [
        "2: tree/sub/deep is left out of the context by .dockerignore"
    ]
    bench.put(".dockerignore", "tree\n")
    assert _problems(bench, "COPY tree /t\n") == ["2: tree is left out of the context by .dockerignore"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("COPY ff /\n", "ff is not in the context; is 'f' meant?"),
        ("COPY tree/subb/deep /\n", "is 'tree/sub/deep' meant?"),
        ("COPY deep /\n", "is 'tree/sub/deep' meant?"),
        ("COPY f/x /\n", "f/x is not in the context"),
        ("COPY ../f /\n", "../f is outside of the context"),
        ("COPY tree/../../f /\n", "is outside of the context"),
        ("COPY tree/l /\n", "tree/l is a link to ../outside, which is not in the context"),
        ("COPY out /\n", "out leads out of the context: out is a link to /etc/passwd"),
        ("COPY up/x /\n", "up/x leads out of the context"),
        ("COPY dangling /\n", "dangling is a link to nothing-here, which is not in the context"),
        ("COPY no* none? /d/\n", "nothing in the context matches no* none?"),
        ("COPY [a /d/\n", "a [ has no end"),
        ("COPY f lf /d\n", "the target has to be a folder: write /d/"),
        ("COPY * /d\n", "dangling is a link to nothing in the context"),
        ("COPY t*/[sx]* /d\n", "2 sources match (tree/sub, tree/x, ...): the target has to be a folder: /d/"),
        ("COPY f /etc/passwd/\n", "/etc/passwd is a file in the image, and no folder"),
        ("COPY f /etc/passwd/x/y\n", "/etc/passwd is a file in the image base, and no folder"),
        ("COPY tree /etc/passwd\n", "/etc/passwd is a file in the image, and no folder"),
        ("COPY bindir /\n", "/bin is a symlink to usr/bin in the image, and a directory in the source"),
        ("COPY f /x/y\nCOPY overfile /\n", "/x is a folder in the image, and a file in the source"),
        ("COPY f /loop/x\n", "loop/x is a link that leads to itself in the image base"),
        ("COPY --chown=nobody-knows f /\n", "/etc/passwd of the image has no user nobody-knows"),
        ("COPY --chown=mee f /\n", "no user mee; is 'me' meant?"),
        ("COPY --chown=5000000000 f /\n", "5000000000 is no number"),
        ("COPY --chown=: f /\n", "names no owner"),
        ("COPY f /.wh.f\n", "a name that begins with .wh. removes a file"),
        ("COPY --from=base /nope /\n", "/nope is not in the image base"),
        ("WORKDIR /etc/passwd/x\n", "/etc/passwd is a file"),
        ("USER nobody-knows\nWORKDIR /w\n", "no user nobody-knows"),
    ],
)
def test_refused_with_the_line(bench: Bench, text: str, why: str) -> None:
    bench.link("out", "/etc/passwd")
    bench.link("up", "../..")
    bench.link("dangling", "nothing-here")
    bench.put("bindir/bin/x")
    bench.put("overfile/x")
    (problem,) = _problems(bench, text)
    line, _, what = problem.partition(": ")
    assert why in what
    assert int(line) == 1 + len(text.splitlines())


def test_every_missing_file_is_told_at_once_and_nothing_is_made(bench: Bench) -> None:
    assert [
        problem.partition(":")[0] for problem in _problems(bench, "COPY f /f\nCOPY a /\nADD b /\nCOPY ../c /\n")
    ] == [
        "3",
        "4",
        "5",
    ]
    assert not list((bench.folder / "1/layout/blobs/sha256").iterdir())


def test_names_that_no_reader_takes_are_refused_with_their_line(bench: Bench) -> None:
    bench.put("odd/a\nb")
    bench.link("bad/l", "a\x01b")
    deep = "/d" * 129
    for text, why in (
        ("COPY odd /o/", "'/o/a\\nb' has control characters in its name"),
        ("COPY bad /o/", "'/o/l' is a link with control characters in its target"),
        (f"WORKDIR {deep}", "is 129 folders deep; 128 is the limit"),
        (f"COPY f {deep}", "is 129 folders deep; 128 is the limit"),
        (f"COPY f /{'n' * 256}", "has a part of more than 255 bytes in its name"),
        (f"COPY f {('/' + 'n' * 200) * 11}", "has a name of more than 2048 bytes"),
    ):
        with pytest.raises(BadDockerfile) as caught:
            bench.build(f"FROM base\n\n{text}\n")
        assert caught.value.summary.startswith("t.j2:3: ")
        assert why in caught.value.summary
    built = bench.build(f"FROM base\nWORKDIR {'/d' * 128}\n")  # as deep as can be, and read again
    assert "/".join("d" * 128) in built.lines()
