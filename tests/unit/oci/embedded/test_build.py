"""The embedded builder as a whole: config, layers, stages, what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode
from rearch.model.platform import parse_platform
from rearch.oci.base_layers import BadBaseLayer
from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.embedded.bases import BaseTriggers, WrongBase
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree_index import remember
from rearch.oci.layer import ContentChanged
from rearch.oci.layout import blob_path, put_bytes, write_index_json
from rearch.oci.types import OCI_LAYER, OCI_MANIFEST, HealthcheckConfig, document_bytes
from tests.support.embedded import ARM64, EPOCH, Bench
from tests.support.layouts import File, make_image, make_tar

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.put("f", "f")
    return bench


def _base(bench: Bench, **run: object) -> None:
    make_image(bench.folder / "base", bench.platform, [[File("b", b"b")], [File("c", b"c")]], compress=True, **run)
    bench.stages["base"] = bench.folder / "base"


def _problems(bench: Bench, text: str) -> list[str]:
    with pytest.raises(BadDockerfile) as caught:
        bench.build(text)
    assert caught.value.exit_code is ExitCode.USAGE
    return [f"{problem.line}: {problem.text}" for problem in caught.value.problems]


def test_every_instruction_of_the_config(bench: Bench) -> None:
    text = (
        "FROM scratch\nENV A=1 B=two\nENV A 3\nLABEL x=$A 'y z'=\nEXPOSE 80 53/udp 7-8\nVOLUME /v /w\n"
        "USER 5:6\nWORKDIR /a\nWORKDIR b\nSTOPSIGNAL SIGUSR1\nMAINTAINER Me <me@example.org>\n"
        'CMD echo $HOME\nSHELL ["/bin/x", "-y"]\nENTRYPOINT run it\n'
        "HEALTHCHECK --interval=5s --start-interval=1s --retries=3 CMD test -f /x\n"
    )
    built = bench.build(text)
    run = built.run
    assert run.env == (PATH, "A=3", "B=two")
    assert run.labels == {"x": "3", "y z": ""}
    assert run.exposed_ports == {"80/tcp": {}, "53/udp": {}, "7/tcp": {}, "8/tcp": {}}
    assert run.volumes == {"/v": {}, "/w": {}}
    assert (run.user, run.working_dir, run.stop_signal) == ("5:6", "/a/b", "SIGUSR1")
    assert run.shell == ("/bin/x", "-y")
    assert run.cmd == ("/bin/sh", "-c", "echo $HOME")
    assert run.entrypoint == ("/bin/x", "-y", "run it")
    assert run.healthcheck == HealthcheckConfig(
        test=("CMD-SHELL", "test -f /x"), interval=5 * 10**9, start_interval=10**9, retries=3
    )
    assert built.image.config.author == "Me <me@example.org>"


def test_the_config_of_scratch_is_as_buildkit_has_it(bench: Bench) -> None:
    bench.platform = parse_platform("linux/arm/v7")
    config = bench.build("FROM scratch\n").image.config
    assert document_bytes(config).decode() == (
        '{"created":"2020-09-13T12:26:40Z","architecture":"arm","os":"linux","variant":"v7",'
        f'"config":{{"Env":["{PATH}"],"WorkingDir":"/"}},'
        '"rootfs":{"type":"layers","diff_ids":[]},"history":[]}'
    )


def test_a_base_keeps_what_it_has_and_entrypoint_takes_its_cmd(bench: Bench) -> None:
    _base(bench, env=("X=1",), cmd=("old",), labels={"l": "1", "m": "1"}, user="me", volumes={"/v": {}})
    run = bench.build("FROM base\nLABEL m=2\nENV Y=$X\nVOLUME /w\n").run
    assert run.env == ("X=1", PATH, "Y=1")
    assert (run.cmd, run.labels, run.user, run.working_dir) == (("old",), {"l": "1", "m": "2"}, "me", None)
    assert run.volumes == {"/v": {}, "/w": {}}
    assert bench.build('FROM base\nENTRYPOINT ["e"]\n').run.cmd is None
    assert bench.build('FROM base\nCMD ["mine"]\nENTRYPOINT ["e"]\n').run.cmd == ("mine",)
    assert bench.build("FROM base\nCMD []\nHEALTHCHECK NONE\n").run.cmd is None
    assert bench.build("FROM base\nHEALTHCHECK NONE\n").run.healthcheck == HealthcheckConfig(test=("NONE",))


def test_layers_of_the_base_are_linked_and_the_history_has_a_line_for_each_layer(bench: Bench) -> None:
    _base(bench)
    built = bench.build("FROM base\nCOPY f /f\nENV A=1\nWORKDIR /w\nWORKDIR /w\n")
    assert (built.image.base_layers, len(built.image.layers)) == (2, 4)
    for layer in built.image.layers[:2]:
        assert blob_path(built.layout, layer.digest).samefile(blob_path(bench.stages["base"], layer.digest))
    history = built.image.config.history or ()
    assert [(line.created_by, line.empty_layer) for line in history] == [
        ("layer of the base", None),
        ("layer of the base", None),
        ("COPY f /f", None),
        ("ENV A=1", True),
        ("WORKDIR /w", None),
        ("WORKDIR /w", True),
    ]
    assert len(built.image.config.rootfs.diff_ids) == 4
    assert {line.created for line in history[2:]} == {"2020-09-13T12:26:40Z"}
    assert built.read().config.platform == ARM64


def test_without_copy_the_layers_of_the_base_are_not_even_read(bench: Bench) -> None:
    _base(bench)
    image = bench.build("FROM base\n").image
    for layer in image.layers:
        path = blob_path(bench.stages["base"], layer.digest)
        path.chmod(0o600)
        path.write_bytes(b"x" * layer.size)
    assert bench.build("FROM base\nENV A=1\nCMD a\n").image.layers == image.layers


def test_same_inputs_same_bytes_and_a_layer_is_made_once(bench: Bench) -> None:
    bench.put("tree/x", "x")
    text = "FROM scratch\nCOPY f /f\nCOPY tree /t\n"
    first, second = bench.build(text), bench.build(text)
    assert first.image == second.image
    assert all("(made)" in line for line in first.said)
    assert all("(as before)" in line for line in second.said)
    third = bench.build("FROM scratch\nCOPY tree /t\nCOPY f /g\n")
    assert third.image.layers[0] == first.image.layers[1]
    assert bench.build(text, epoch=EPOCH + 1).image.layers != first.image.layers


def test_stages(bench: Bench) -> None:
    _base(bench)
    text = (
        "FROM base AS a\nCMD a\nCOPY f /a\nFROM scratch AS unused\nRUN false\nCOPY nothing /\n"
        'FROM A AS b\nENTRYPOINT ["e"]\nCOPY --from=0 /a /d/\nFROM b\nCOPY --from=base /b /c2\n'
    )
    built = bench.build(text)
    assert set(built.lines()) == {"a", "b", "c", "c2", "d", "d/a"}
    assert built.run.cmd is None
    assert built.image.base_layers == 2


def test_the_platform_arguments(bench: Bench) -> None:
    bench.put("linux/arm64/prog", "prog")
    built = bench.build("FROM --platform=$TARGETPLATFORM scratch\nARG TARGETPLATFORM\nCOPY $TARGETPLATFORM/prog /p\n")
    assert built.lines() == {"p": "file 0644 0:0 prog"}


def test_docker_types_and_zstd(bench: Bench) -> None:
    _base(bench)
    docker = bench.build("FROM base\nCOPY f /\n", media_types="docker").image.layers
    assert {layer.media_type for layer in docker} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    zstd = bench.build("FROM base\nCOPY f /\n", compression="zstd").image.layers
    assert [layer.media_type.rpartition("+")[2] for layer in zstd] == ["gzip", "gzip", "zstd"]
    bench.stages["base"] = bench.build("FROM scratch\nCOPY f /\n", compression="zstd").as_base()
    with pytest.raises(BadDockerfile, match="which docker images cannot have"):
        bench.build("FROM base\n", media_types="docker")


def test_digests_that_are_known_are_believed_until_the_file_is_read(bench: Bench) -> None:
    right = hashlib.sha256(b"f").hexdigest()
    plain = bench.build("FROM scratch\nCOPY f /f\n")
    assert bench.build("FROM scratch\nCOPY f /f\n", digests={"f": right}).image == plain.image
    with pytest.raises(ContentChanged):
        bench.build("FROM scratch\nCOPY f /f\n", digests={"f": "0" * 64})


def test_a_base_of_another_platform(bench: Bench) -> None:
    _base(bench)
    bench.platform = parse_platform("linux/amd64")
    for text in ("FROM base\n", "FROM scratch\nCOPY --from=base /b /\n"):
        with pytest.raises(
            WrongBase, match="base is for linux/arm64, and cannot be part of one for linux/amd64"
        ) as caught:
            bench.build(text)
        assert caught.value.exit_code is ExitCode.VERIFICATION


def test_a_base_with_triggers(bench: Bench) -> None:
    _base(bench, on_build=("RUN make",))
    with pytest.raises(BaseTriggers) as caught:
        bench.build("FROM base\n")
    assert "ONBUILD RUN make" in caught.value.details
    assert bench.build("FROM scratch\nCOPY --from=base /b /\n").lines() == {"b": "file 0755 0:0 b"}


def test_what_this_builder_does_not_do_is_told_all_at_once(bench: Bench) -> None:
    text = (
        "FROM scratch\nRUN <<EOF\nmake\nEOF\nONBUILD COPY a b\nADD https://example.org/x /\nARG U=git@example.org:a/b\n"
        "ADD $U /\nCOPY --parents f /\nADD --checksum=sha256:0 f /\nENV A=$NO\n"
    )
    problems = _problems(bench, text)
    assert [problem.partition(":")[0] for problem in problems] == ["2", "5", "6", "8", "9", "10", "11"]
    assert "RUN is not for the embedded builder" in problems[0]
    with pytest.raises(BadDockerfile) as caught:
        bench.build("FROM scratch\nRUN true\n")
    assert caught.value.summary.startswith("t.j2:2: RUN")
    assert "builder: docker" in (caught.value.hint or "")


def test_the_error_says_where_and_what(bench: Bench) -> None:
    with pytest.raises(BadDockerfile) as caught:
        bench.build("FROM scratch\nCOPY ff /\nCOPY fff /\n")
    assert caught.value.render() == (
        "error: t.j2: 2 problems\n  t.j2:2: ff is not in the context; is 'f' meant?\n"
        "  t.j2:3: fff is not in the context"
    )


def test_a_layer_of_a_base_that_cannot_be_read_is_named(bench: Bench) -> None:
    image = make_image(bench.folder / "base", bench.platform, [[File("b", b"b")], [File("x"), File("../c")]])
    bench.stages["base"] = bench.folder / "base"
    for text in ("FROM base\nWORKDIR /w\n", "FROM scratch\nCOPY --from=base /b /\n"):
        with pytest.raises(BadBaseLayer) as caught:
            bench.build(text)
        assert caught.value.exit_code is ExitCode.VERIFICATION
        assert caught.value.summary == (
            f"the base base: layer 2 ({image.manifest.layers[1].digest}): '../c' has '..' in its name"
        )


def test_a_layer_that_is_cut_off_where_content_is_taken_from_it(bench: Bench) -> None:
    whole = make_image(bench.folder / "base", bench.platform, [[File("b", b"b")], [File("c", b"c" * 3000)]])
    cut = put_bytes(bench.folder / "base", make_tar([File("c", b"c" * 3000)])[:2000], OCI_LAYER)
    layers = (whole.manifest.layers[0], cut)
    manifest = document_bytes(replace(whole.manifest, layers=layers))
    write_index_json(bench.folder / "base", [put_bytes(bench.folder / "base", manifest, OCI_MANIFEST)])
    bench.stages["base"] = bench.folder / "base"
    # As if an older rearch, which took such layers, had remembered what is in it.
    entry = LayerEntry(path="c", kind=EntryKind.FILE, mode=0o644, size=3000)
    remember(bench.folder / "layers", cut, [entry])
    with pytest.raises(BadBaseLayer, match="ends in the middle of") as caught:
        bench.build("FROM scratch\nCOPY --from=base /c /\n")
    assert caught.value.summary.startswith(f"the base base: layer 2 ({cut.digest}): ")
    assert (caught.value.base, caught.value.number, caught.value.entry) == ("base", 2, "c")
