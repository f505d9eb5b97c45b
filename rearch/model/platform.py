"""The one vocabulary for CPU architectures.

A platform is written as OCI writes it, `os/arch[/variant]`, after normalisation
(containerd's platforms package: `aarch64` = `arm64/v8` = `arm64`, `armhf` = `arm/v7`). Every
other name of an architecture (Go, Debian, GNU, ELF, qemu, uname, zig) is a column of the table below.
"""

from __future__ import annotations

from msgspec import Struct

from rearch.errors import UsageError

EM_386, EM_PPC64, EM_S390, EM_ARM, EM_X86_64, EM_AARCH64, EM_RISCV = 3, 21, 22, 40, 62, 183, 243


class Architecture(Struct, frozen=True, kw_only=True):
    """One row of the table: what every tool calls this architecture.

    `elf_machine` is e_machine of the ELF header (gabi, "ELF Identification"); `bits` its class;
    `hard_float` is True where the EABI passes floats in registers (ARM only, else None);
    `debian` is None where Debian has no port with this instruction set as its baseline.
    `qemu_cpu` makes qemu-user refuse instructions that this variant lacks (empty: qemu's default). `also_runs`
    names the architectures whose programs this kernel may run without emulation; whether it does, one has to try.
    `zig_cpu` is the -mcpu with which zig keeps to this variant's instructions (empty: zig's default for the target).
    """

    name: str
    goarch: str
    go_variant: tuple[str, str] | None
    debian: str | None
    triplet: str
    zig: str
    qemu: str
    uname: tuple[str, ...]
    aliases: tuple[str, ...]
    elf_machine: int
    bits: int
    little_endian: bool = True
    hard_float: bool | None = None
    glibc_loader: str = ""
    musl_loader: str = ""
    qemu_cpu: str = ""
    also_runs: tuple[str, ...] = ()
    gnu_cross: str = ""
    zig_cpu: str = ""

    @property
    def gnu(self) -> str:
        """Prefix of the GNU cross compiler's programs: `i686-linux-gnu` where Debian's multiarch folder says i386."""
        return self.gnu_cross or self.triplet


_TABLE = (
    Architecture(
        name="amd64",
        goarch="amd64",
        go_variant=("GOAMD64", "v1"),
        debian="amd64",
        triplet="x86_64-linux-gnu",
        zig="x86_64-linux-musl",
        qemu="x86_64",
        uname=("x86_64",),
        aliases=("x86_64", "x86-64", "amd64/v1"),
        elf_machine=EM_X86_64,
        bits=64,
        glibc_loader="/lib64/ld-linux-x86-64.so.2",
        musl_loader="/lib/ld-musl-x86_64.so.1",
        also_runs=("386",),
    ),
    Architecture(
        name="arm64",
        goarch="arm64",
        go_variant=("GOARM64", "v8.0"),
        debian="arm64",
        triplet="aarch64-linux-gnu",
        zig="aarch64-linux-musl",
        qemu="aarch64",
        uname=("aarch64",),
        aliases=("aarch64", "arm64/v8", "arm64v8"),
        elf_machine=EM_AARCH64,
        bits=64,
        glibc_loader="/lib/ld-linux-aarch64.so.1",
        musl_loader="/lib/ld-musl-aarch64.so.1",
        also_runs=("arm/v7", "arm/v6"),
    ),
    Architecture(
        name="arm/v7",
        goarch="arm",
        go_variant=("GOARM", "7"),
        debian="armhf",
        triplet="arm-linux-gnueabihf",
        zig="arm-linux-musleabihf",
        qemu="arm",
        uname=("armv7l", "armv8l"),
        aliases=("arm", "armhf", "armv7", "armv7l", "armv7hf", "arm32v7", "arm/7", "arm/v8"),
        elf_machine=EM_ARM,
        bits=32,
        hard_float=True,
        glibc_loader="/lib/ld-linux-armhf.so.3",
        musl_loader="/lib/ld-musl-armhf.so.1",
        qemu_cpu="cortex-a7",
        also_runs=("arm/v6",),
    ),
    Architecture(
        name="arm/v6",
        goarch="arm",
        go_variant=("GOARM", "6"),
        debian=None,
        triplet="arm-linux-gnueabihf",
        zig="arm-linux-musleabihf",
        qemu="arm",
        uname=("armv6l",),
        aliases=("armv6", "armv6l", "arm32v6", "arm/6"),
        elf_machine=EM_ARM,
        bits=32,
        hard_float=True,
        glibc_loader="/lib/ld-linux-armhf.so.3",
        musl_loader="/lib/ld-musl-armhf.so.1",
        qemu_cpu="arm1176",
        zig_cpu="arm1176jzf_s",
    ),
    Architecture(
        name="386",
        goarch="386",
        go_variant=("GO386", "sse2"),
        debian="i386",
        triplet="i386-linux-gnu",
        zig="x86-linux-musl",
        qemu="i386",
        uname=("i386", "i586", "i686"),
        aliases=("i386", "i486", "i586", "i686", "x86"),
        elf_machine=EM_386,
        bits=32,
        glibc_loader="/lib/ld-linux.so.2",
        musl_loader="/lib/ld-musl-i386.so.1",
        gnu_cross="i686-linux-gnu",
    ),
    Architecture(
        name="riscv64",
        goarch="riscv64",
        go_variant=("GORISCV64", "rva20u64"),
        debian="riscv64",
        triplet="riscv64-linux-gnu",
        zig="riscv64-linux-musl",
        qemu="riscv64",
        uname=("riscv64",),
        aliases=(),
        elf_machine=EM_RISCV,
        bits=64,
        glibc_loader="/lib/ld-linux-riscv64-lp64d.so.1",
        musl_loader="/lib/ld-musl-riscv64.so.1",
    ),
    Architecture(
        name="ppc64le",
        goarch="ppc64le",
        go_variant=("GOPPC64", "power8"),
        debian="ppc64el",
        triplet="powerpc64le-linux-gnu",
        zig="powerpc64le-linux-musl",
        qemu="ppc64le",
        uname=("ppc64le",),
        aliases=("ppc64el", "powerpc64le"),
        elf_machine=EM_PPC64,
        bits=64,
        glibc_loader="/lib64/ld64.so.2",
        musl_loader="/lib/ld-musl-powerpc64le.so.1",
    ),
    Architecture(
        name="s390x",
        goarch="s390x",
        go_variant=None,
        debian="s390x",
        triplet="s390x-linux-gnu",
        zig="s390x-linux-musl",
        qemu="s390x",
        uname=("s390x",),
        aliases=(),
        elf_machine=EM_S390,
        bits=64,
        little_endian=False,
        glibc_loader="/lib/ld64.so.1",
        musl_loader="/lib/ld-musl-s390x.so.1",
    ),
)

_BY_NAME = {row.name: row for row in _TABLE}
_SPELLINGS = {alias: row.name for row in _TABLE for alias in (row.name, *row.aliases)}


class Platform(Struct, frozen=True, order=True):
    """An operating system and an architecture, normalised; `str()` is the OCI spelling."""

    os: str
    arch_name: str

    @property
    def arch(self) -> Architecture:
        """The row of the table."""
        return _BY_NAME[self.arch_name]

    @property
    def oci_architecture(self) -> str:
        """`architecture` of an OCI platform object: `arm` for both `arm/v6` and `arm/v7`."""
        return self.arch_name.partition("/")[0]

    @property
    def oci_variant(self) -> str | None:
        """`variant` of an OCI platform object; arm64 has none (v8 is implied)."""
        return self.arch_name.partition("/")[2] or None

    @property
    def slug(self) -> str:
        """A name for files and folders: `linux_arm_v7`."""
        return f"{self.os}_{self.arch_name.replace('/', '_')}"

    def __str__(self) -> str:
        return f"{self.os}/{self.arch_name}"


class UnknownPlatform(UsageError):
    """A word that names no platform that rearch can build for."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"unknown platform {text!r}",
            hint=f"use one of {', '.join(str(platform) for platform in PLATFORMS)}",
        )


def parse_platform(text: str) -> Platform:
    """Read `linux/arm/v7`, `arm/v7`, `armhf`, `aarch64`, ...: any usual spelling, any case."""
    words = text.strip().lower()
    os_name, slash, rest = words.partition("/")
    if not slash or os_name in _SPELLINGS:
        os_name, rest = "linux", words
    name = _SPELLINGS.get(rest)
    if os_name != "linux" or name is None:
        raise UnknownPlatform(text)
    return Platform(os_name, name)


def parse_platforms(text: str) -> tuple[Platform, ...]:
    """Read a comma-separated list; duplicates (also under other spellings) count once."""
    words = [word for word in text.replace(",", " ").split() if word]
    return tuple(dict.fromkeys(parse_platform(word) for word in words))


PLATFORMS = tuple(Platform("linux", row.name) for row in _TABLE)


def host_platform(machine: str) -> Platform:
    """The platform of a host whose `uname -m` says `machine`."""
    for row in _TABLE:
        if machine in row.uname:
            return Platform("linux", row.name)
    return parse_platform(machine)


# What an index may name beside PLATFORMS: such images can be joined, but not built here. The systems and architectures
# are those of `go tool dist list`, the variants manifest-tool's (v2/pkg/util of github.com/estesp/manifest-tool).
OCI_SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd"),
    *("plan9", "solaris", "wasip1", "windows"),
)
OCI_ARCHITECTURES = tuple(
    sorted(
        {platform.oci_architecture for platform in PLATFORMS}
        | {"loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "wasm"}
    )
)
OCI_VARIANTS = {"arm": ("v5", "v6", "v7"), "arm64": ("v8",)}


def platform_key(os: str, architecture: str, variant: str = "", *more: str) -> tuple[str, ...]:
    """Equal for two spellings of one platform: normalised where rearch knows the platform, else as it is written.

    `more`: version and features of the operating system. Errors: none.
    """
    text = "/".join(part for part in (os, architecture, variant) if part)
    try:
        return (str(parse_platform(text)), *more)
    except UnknownPlatform:
        return (text, *more)
