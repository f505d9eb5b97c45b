"""What all image builders must agree in: Dockerfiles with their context, and the differences that are known.

setting = arranged(make_setting(tmp_path), CASES[0])
setting.build("buildah", text(CASES[0].dockerfile))
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rearch.model.platform import Platform, parse_platform
from tests.support.builders import Setting
from tests.support.layouts import File, Folder, Hard, Link, Thing, make_image

ARM64, AMD64, S390X = (parse_platform(name) for name in ("arm64", "amd64", "s390x"))


@dataclass(frozen=True)
class Case:
    """A Dockerfile, and files of the context: path -> text, or bytes, or a link's target after `->`."""

    name: str
    dockerfile: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    platform: Platform = ARM64


def archive() -> bytes:
    """A tar with a folder, a program, a link and an owner."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, kind, mode in (("in", tarfile.DIRTYPE, 0o750), ("in/program", tarfile.REGTYPE, 0o755)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, 7, 8, 1_000
            info.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"run!"))
        link = tarfile.TarInfo("in/link")
        link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "program", 1_000
        tar.addfile(link)
    return out.getvalue()


CONTEXT: Mapping[str, str | bytes] = {
    "one": "1\n",
    "two.txt": "2\n",
    "three.txt": "3\n",
    "folder/a": "a\n",
    "folder/deep/b": "b\n",
    "folder/link": "->a",
    "program": "*#!/bin/sh\n",
}

CASES = (
    Case(
        "files",
        """
        FROM base
        COPY one /one
        COPY one /new/folder/
        COPY one two.txt /several/
        COPY *.txt /wild/
        COPY t?o.txt /question/renamed.txt
        COPY folder /folder
        COPY folder /merged/
        COPY folder/deep folder/a /parts/
        COPY program /usr/local/bin/program
        """,
    ),
    Case(
        "owners and modes",
        """
        FROM base
        COPY --chown=12:34 one /owned/one
        COPY --chown=12 folder /by-number
        COPY --chown=service:people one /by-name
        COPY --chown=service one /by-user-alone
        COPY --chmod=0700 one /private
        COPY --chmod=755 folder /programs
        COPY --chown=1:2 --chmod=0640 folder /both
        """,
    ),
    Case(
        "places of the base",
        """
        FROM base
        COPY one /bin/one
        COPY folder /bin/
        COPY one /lib/new/one
        COPY one /etc/passwd
        COPY one /opt/kept/one
        WORKDIR /srv
        COPY one relative
        WORKDIR nested/place
        COPY one .
        COPY folder ./
        WORKDIR /opt/kept
        """,
    ),
    Case(
        "settings",
        """
        ARG TOP=from-top
        FROM base
        ARG TOP
        ARG GIVEN=default
        ARG TARGETPLATFORM
        ARG TARGETARCH
        ENV ONE=1 TWO="two words" PATH=/opt/bin:$PATH
        ENV THREE=$ONE-${TOP} ONE=new AFTER=$ONE
        ENV OLD the old form
        ENV GIVEN_WAS=${GIVEN} FOR=$TARGETPLATFORM/$TARGETARCH UNSET=${NOTHING:-fallback}
        LABEL a=b "c d"="e f" version=$ONE base=mine
        EXPOSE 80 53/udp 8000-8002
        VOLUME /data ["/more"]
        USER 12:34
        WORKDIR /work/$TWO
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=4 CMD ["/check", "me"]
        ENTRYPOINT ["/entry", "$ONE"]
        CMD ["a", "b"]
        MAINTAINER somebody
        """.replace('VOLUME /data ["/more"]', 'VOLUME /data\n        VOLUME ["/more", "/and more"]'),
        args={"GIVEN": "given"},
    ),
    Case(
        "shell forms",
        """
        FROM base
        ENTRYPOINT entry with $ONE
        HEALTHCHECK CMD check --this
        CMD run that
        """,
    ),
    Case(
        "an entrypoint takes the base's command away",
        """
        FROM base
        ENTRYPOINT ["/entry"]
        HEALTHCHECK NONE
        """,
    ),
    Case(
        "a shell of its own",
        """
        FROM base
        SHELL ["/bin/other", "-e", "-c"]
        ENTRYPOINT entry
        CMD run that
        HEALTHCHECK CMD check --this
        """,
    ),
    Case(
        "stages",
        """
        FROM base AS first
        COPY --chown=5:6 one /d/e/one
        COPY folder /d/folder
        ENV LOST=yes
        FROM scratch AS second
        COPY --from=first /d /x
        COPY --from=first /d/e/one /bin/tool
        COPY --from=0 /etc/passwd /etc/
        FROM second
        COPY --from=base /usr/share/hard-a /usr/share/hard-b /hard/
        COPY --from=base /bin/sh-link /links/
        COPY --from=other /only /from-other
        ENTRYPOINT ["/bin/tool"]
        """,
    ),
    Case(
        "scratch",
        """
        FROM scratch
        COPY program /program
        COPY folder /etc/folder
        """,
        platform=parse_platform("arm/v7"),
    ),
    Case(
        "what .dockerignore leaves",
        """
        FROM scratch
        COPY . /all
        """,
        files={
            ".dockerignore": "# comment\n*.txt\n!two.txt\nfolder/deep\n**/ignored\n",
            "folder/ignored": "x",
            "ignored": "x",
            "folder/kept.txt": "kept: *.txt is of the root alone\n",
        },
    ),
    Case(
        "buildah's own .containerignore means nothing",
        """
        FROM scratch
        COPY . /all
        """,
        files={".containerignore": "folder\n", ".dockerignore": "one\n"},
    ),
    Case(
        "a stage on a stage on a base without a history",
        """
        FROM base AS first
        COPY two.txt /two.txt
        FROM first
        COPY three.txt /three.txt
        """,
    ),
    Case(
        "an archive",
        """
        FROM base
        ADD archive.tar.gz /unpacked/
        ADD one /added/one
        COPY archive.tar.gz /packed/
        """,
        files={"archive.tar.gz": archive()},
    ),
    Case(
        "a file over what was there",
        """
        FROM base
        COPY --chmod=0600 one /opt/kept/old
        COPY two.txt /opt/kept/old
        COPY folder/a /usr/share/hard-a
        """,
    ),
)


@dataclass(frozen=True)
class Difference:
    """In the case of that name, `builder` gives `value` at `key` (a path, or a field of the config; None: nothing).

    All others give what the embedded builder gives.
    """

    case: str
    builder: str
    key: str
    value: object
    reason: str


EACH_FOR_ITSELF = "engines copy every source of a COPY by itself: names of one file become files; embedded keeps them"

DIFFERENCES: tuple[Difference, ...] = (
    Difference("stages", "docker", "hard/hard-b", "file 0777 0:0 ed5465b9220d", EACH_FOR_ITSELF),
    Difference("stages", "buildah", "hard/hard-b", "file 0777 0:0 ed5465b9220d", EACH_FOR_ITSELF),
)


def make_setting(folder: Path) -> Setting:
    """Bases for the Dockerfiles, and the context."""
    make_base(folder / "base", ARM64)
    make_image(folder / "other", ARM64, [[File("only", b"only", 0o600, 3, 4)]])
    context = folder / "context"
    fill(context, CONTEXT)
    stages = {"base": folder / "base", "other": folder / "other"}
    return Setting(folder=folder, context=context, platform=ARM64, stages=stages)


def make_base(layout: Path, platform: Platform, *more: File) -> None:
    """Two layers: links between folders, accounts, hard links; settings to inherit."""
    accounts = [
        File("etc/passwd", b"root:x:0:0::/:/bin/sh\nservice:x:101:102::/:/bin/sh\n", 0o644),
        File("etc/group", b"root:x:0:\nservice:x:102:\npeople:x:500:service\n", 0o644),
    ]
    folders = [Folder("usr"), Folder("usr/bin"), Folder("usr/lib"), Folder("usr/share"), Folder("etc")]
    links = [Link("bin", "usr/bin"), Link("lib", "/usr/lib"), Link("usr/bin/sh-link", "sh")]
    first: list[Thing] = [*folders, *links, *accounts, *more, File("usr/bin/sh", b"shell", 0o755)]
    second: list[Thing] = [
        *(Folder("opt"), Folder("opt/kept", 0o700), File("opt/kept/old", b"old", 0o640, 9, 9)),
        *(Folder("usr"), Folder("usr/share"), File("usr/share/hard-a", b"hard", 0o777)),
        Hard("usr/share/hard-b", "usr/share/hard-a"),
    ]
    make_image(
        layout,
        platform,
        [first, second],
        compress=True,
        env=("PATH=/usr/bin", "BASE=yes"),
        cmd=("/bin/sh",),
        labels={"base": "its", "kept": "yes"},
        working_dir="/opt",
        exposed_ports={"9/tcp": {}},
    )


def fill(context: Path, files: Mapping[str, str | bytes]) -> None:
    """`->target` is a link, `*text` a program."""
    for name, content in files.items():
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("->"):
            path.symlink_to(content[2:])
            continue
        path.write_bytes(content if isinstance(content, bytes) else content.removeprefix("*").encode())
        path.chmod(0o755 if isinstance(content, str) and content.startswith("*") else 0o644)
    for folder, _, _ in os.walk(context):
        Path(folder).chmod(0o755)


def text(dockerfile: str) -> str:
    return "\n".join(line.strip() for line in dockerfile.strip().splitlines()) + "\n"


def arranged(setting: Setting, case: Case) -> Setting:
    """The setting for a case: its files, its platform."""
    fill(setting.context, case.files)
    stages = setting.stages if "base" in case.dockerfile else {}
    return replace(setting, args=case.args, platform=case.platform, stages=stages)


def expected(case: Case, builder: str, standard: Mapping[str, object]) -> dict[str, object]:
    """What the builder should give, in the order of `standard`."""
    found = dict(standard)
    for difference in DIFFERENCES:
        if (difference.case, difference.builder) == (case.name, builder):
            found.pop(difference.key, None)
            found |= {} if difference.value is None else {difference.key: difference.value}
    return found
