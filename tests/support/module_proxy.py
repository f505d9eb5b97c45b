"""A GOPROXY as a folder (https://go.dev/ref/mod#goproxy-protocol), for file:// URLs, and the go.sum that fits it."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path


def hash_files(files: Mapping[str, bytes]) -> str:
    """dirhash Hash1 (golang.org/x/mod/sumdb/dirhash): `h1:` and a hash over `<sha256>  <name>` lines."""
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def add_module(proxy: Path, path: str, version: str, files: Mapping[str, str]) -> str:
    """Put a module into the proxy; the answer is its two lines for go.sum."""
    folder = proxy / path / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    go_mod = f"module {path}\n\ngo 1.21\n"
    content = {f"{path}@{version}/{name}": text.encode() for name, text in {"go.mod": go_mod, **files}.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(content.items()):
            archive.writestr(name, data)
    (folder / f"{version}.zip").write_bytes(buffer.getvalue())
    (folder / f"{version}.mod").write_text(go_mod)
    (folder / f"{version}.info").write_text(f'{{"Version": "{version}", "Time": "2020-01-01T00:00:00Z"}}')
    (folder / "list").write_text(f"{version}\n")
    mod_sum = hash_files({"go.mod": go_mod.encode()})
    return f"{path} {version} {hash_files(content)}\n{path} {version}/go.mod {mod_sum}\n"
