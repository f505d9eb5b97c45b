"""The C side: zig (static, musl) or Debian's cross gcc (glibc, with a sysroot of foreign packages).

go is told the compiler by a name and not by a path: the name enters the keys of its build cache, and what it says
of itself there does not cover the headers of a sysroot. So the name holds a hash of the C toolchain and the
sysroot, and is the same in every checkout.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rearch.model.platform import Platform
from rearch.steps.compile_errors import NoCompilerFor
from rearch.steps.ports import Need, Workspace


class CSetup(Struct, frozen=True, kw_only=True):
    """`scripts`: file name -> text, for one folder at the front of PATH. `tags` are added to the recipe's."""

    env: Mapping[str, str]
    scripts: Mapping[str, str]
    ldflags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


NO_C = CSetup(env={}, scripts={})


def c_setup(kind: str, link: str, platform: Platform, work: Workspace) -> CSetup:
    """How C is compiled for `platform`; `link` is static or dynamic. Errors: NoCompilerFor."""
    compiler, sysroot = work.needs["cc"], work.needs.get("sysroot")
    if kind == "zig":
        return zig_setup(compiler, link, platform, work)
    if kind == "gcc":
        return gcc_setup(compiler, sysroot, link, platform, work.scratch)
    raise NoCompilerFor(kind, "no such kind", "use a toolchain of kind zig or gcc")


def zig_setup(compiler: Need, link: str, platform: Platform, work: Workspace) -> CSetup:
    """zig as CC, CXX and AR. Its own cache is kept for each zig: building musl for a new target takes minutes.

    The result is always stripped: the debug information of zig's C library holds paths of this machine, and zig (0.15)
    leaves out all symbols or none. It is `-Wl,-s`, since a `-g` after `-s` (go's default CGO_LDFLAGS) undoes `-s`.
    """
    if link != "static":
        raise NoCompilerFor("zig", "it links statically (musl)", "set build.go.cgo.link: static, or use gcc-cross")
    root = (compiler.files / "zig").resolve()
    zig = str(root / "zig")
    target = ("-target", platform.arch.zig, *((f"-mcpu={platform.arch.zig_cpu}",) if platform.arch.zig_cpu else ()))
    flags = (*target, f"-ffile-prefix-map={root}=/zig")
    name = _name(compiler, None, target)
    scripts = {
        f"{name}-cc": _script(zig, "cc", *flags),
        f"{name}-c++": _script(zig, "c++", *flags),
        f"{name}-ar": _script(zig, "ar"),
    }
    caches = {
        "ZIG_GLOBAL_CACHE_DIR": str(work.caches.resolve() / "zig" / compiler.result.key),
        "ZIG_LOCAL_CACHE_DIR": str(work.scratch.resolve() / "zig"),
    }
    nothing = {"PKG_CONFIG_LIBDIR": str(work.scratch / "no-packages"), "PKG_CONFIG_PATH": ""}
    return CSetup(
        env={**_names(name), **caches, **nothing},
        scripts=scripts,
        ldflags=("-linkmode", "external", "-extldflags", "-static -Wl,-s"),
    )


def gcc_setup(compiler: Need, sysroot: Need | None, link: str, platform: Platform, scratch: Path) -> CSetup:
    """Debian's `<triplet>-gcc`, with its g++ and ar; headers and libraries of the sysroot if there is one."""
    if platform.arch.debian is None:
        what = f"Debian has no port for {platform}, so its compiler and C library want a newer processor"
        raise NoCompilerFor("gcc", what, "use a toolchain of kind zig")
    prefix = str((compiler.files / "gcc").readlink()).removesuffix("gcc")
    root = sysroot.files.resolve() / "sysroot" if sysroot else None
    flags = sysroot_flags(root, platform) if root else ()
    name = _name(compiler, sysroot, (link,))
    scripts = {
        f"{name}-cc": _script(f"{prefix}gcc", *flags),
        f"{name}-c++": _script(f"{prefix}g++", *flags),
        f"{name}-ar": _script(f"{prefix}ar"),
    }
    env = {**_names(name), **pkg_config(root or scratch / "no-packages", platform)}
    if link == "static":
        # glibc's resolver and user database load libraries at run time, even when linked statically.
        ldflags = ("-linkmode", "external", "-extldflags", "-static")
        return CSetup(env=env, scripts=scripts, ldflags=ldflags, tags=("netgo", "osusergo"))
    if link == "dynamic":
        return CSetup(env=env, scripts=scripts)
    raise NoCompilerFor("gcc", f"link: {link} is unknown", "static or dynamic")


def sysroot_flags(root: Path, platform: Platform) -> tuple[str, ...]:
    """Flags for gcc: a whole sysroot where the C library's development files are in it, else only more folders."""
    triplet = platform.arch.triplet
    hidden = f"-ffile-prefix-map={root}=/sysroot"
    if (root / "usr" / "lib" / triplet / "crt1.o").exists():
        return (f"--sysroot={root}", hidden)
    includes = (root / "usr" / "include" / triplet, root / "usr" / "include")
    libraries = (root / "usr" / "lib" / triplet, root / "lib" / triplet)
    searched = tuple(word for path in includes for word in ("-isystem", str(path)))
    linked = tuple(word for path in libraries for word in (f"-L{path}", f"-Wl,-rpath-link,{path}"))
    return (*searched, *linked, hidden)


def pkg_config(root: Path, platform: Platform) -> Mapping[str, str]:
    """pkg-config(1) sees the sysroot's packages and none of the host."""
    folders = (root / "usr" / "lib" / platform.arch.triplet / "pkgconfig", root / "usr" / "share" / "pkgconfig")
    return {
        "PKG_CONFIG_LIBDIR": ":".join(map(str, folders)),
        "PKG_CONFIG_PATH": "",
        "PKG_CONFIG_SYSROOT_DIR": str(root),
    }


def _names(name: str) -> Mapping[str, str]:
    return {"AR": f"{name}-ar", "CC": f"{name}-cc", "CXX": f"{name}-c++"}


def _name(compiler: Need, sysroot: Need | None, more: tuple[str, ...]) -> str:
    parts = (compiler.result.key, sysroot.result.key if sysroot else "", *more)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"rearch-{digest[:16]}"


def _script(*words: str) -> str:
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


def write_scripts(setup: CSetup, folder: Path) -> None:
    """Put the scripts in place."""
    folder.mkdir()
    for name, text in setup.scripts.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
