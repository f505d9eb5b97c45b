"""Git repositories of the shape of Rancher 1.6's, for the recipes of recipes/rancher.

The same import paths, vendor folders, package/ and scripts/ folders, tags, and in the files that a recipe edits the
same few lines; everything else is small stand-ins of our own. Each program can show what an edit changed:

    healthcheck     WAIT=counted                  waits for metadata without sleeping, and says how long it would have
    plugin-manager  NETWORK=down                  says how often it tried to wire a container
    scheduler       --metadata-address answers:1,-,bad,broken    metadata that answers so; it ends after the last one
    agent           CPUINFO=<file>                says what it read from that instead of /proc/cpuinfo
    agent           ADDRESS=limit                 says how long a container may take to get its address

The scripts that images copy are stand-ins too: of the same name at the same place, called with the same arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.ill_programs import ILL_PROGRAMS
from tests.support.rancher_libraries import CLI, LOGRUS, METADATA, METADATA_CHANGE, METADATA_UTILS
from tests.support.rancher_programs import (
    AGENT,
    AGENT_UTILITIES,
    GIDDYUP,
    GIDDYUP_VERSION,
    HEALTHCHECK,
    PLUGIN_MANAGER,
    PLUGIN_MANAGER_NETWORK,
    SCHEDULER,
    SCHEDULER_METADATA,
    SHARE_MNT,
)
from tests.support.rancher_scripts import HAPROXY_RELOAD, HAPROXY_TEMPLATE, START, SWARMKIT
from tests.support.repositories import Content, Executable, Repository, make_repository

TAGS = {
    "healthcheck": "v0.3.8",
    "plugin-manager": "v0.7.22",
    "scheduler": "v0.8.6",
    "agent": "v0.13.11",
    "share-mnt": "v1.0.0",
    "giddyup": "v0.14.0",
}

_VENDOR: dict[str, Content] = {
    "vendor/github.com/Sirupsen/logrus/logrus.go": LOGRUS,
    "vendor/github.com/urfave/cli/cli.go": CLI,
}
_VENDOR_METADATA: dict[str, Content] = _VENDOR | {
    "vendor/github.com/rancher/go-rancher-metadata/metadata/metadata.go": METADATA,
    "vendor/github.com/rancher/go-rancher-metadata/metadata/change.go": METADATA_CHANGE,
    "vendor/github.com/rancher/go-rancher-metadata/metadata/utils.go": METADATA_UTILS,
}
_CPU = "core/hostInfo/cpu_info_unix.go"

_SOURCES: Mapping[str, Mapping[str, Content]] = {
    "healthcheck": {
        "main.go": HEALTHCHECK,
        "pkg/haproxy/haproxy_reload.sh": Executable(HAPROXY_RELOAD),
        "pkg/haproxy/haproxy_template.cfg": HAPROXY_TEMPLATE,
        **_VENDOR_METADATA,
    },
    "plugin-manager": {
        "main.go": PLUGIN_MANAGER,
        "package/start.sh": Executable(START),
        "network/manager.go": PLUGIN_MANAGER_NETWORK,
        **_VENDOR_METADATA,
    },
    "scheduler": {
        "main.go": SCHEDULER,
        "resourcewatchers/metadata.go": SCHEDULER_METADATA,
        **_VENDOR_METADATA,
    },
    "agent": {
        "main.go": AGENT,
        "utilities/utils.go": AGENT_UTILITIES,
        _CPU: ILL_PROGRAMS["cpuinfo-arm"].files[_CPU],
        **_VENDOR,
    },
    "share-mnt": {"main.go": SHARE_MNT},
    "giddyup": {"main.go": GIDDYUP, "version/version.go": GIDDYUP_VERSION, **_VENDOR},
    "swarmkit-catalog": {"images/swarmkit/run.sh": Executable(SWARMKIT)},
}


def source_files(repository: str) -> dict[str, Content]:
    """The files of one repository."""
    around: dict[str, Content] = {
        "README.md": f"# {repository}\n",
        "Dockerfile.dapper": "FROM scratch\n",
        "package/Dockerfile": f"FROM scratch\nCOPY {repository} /usr/bin/\n",
        "scripts/build": Executable("#!/bin/bash\nexit 1\n"),
        "trash.conf": f"github.com/rancher/{repository}\n",
    }
    return around | dict(_SOURCES[repository])


def make_upstreams(folder: Path) -> dict[str, Repository]:
    """All seven repositories below `folder`, each with a commit after the tagged one, by their names."""
    made: dict[str, Repository] = {}
    for name, tag in TAGS.items():
        made[name] = make_repository(folder / name, source_files(name), tag=tag, annotated=True)
        made[name].commit({**source_files(name), "CHANGES": "later\n"}, "later work")
    # Its recipe names a commit, not a tag.
    made["swarmkit-catalog"] = make_repository(folder / "swarmkit-catalog", source_files("swarmkit-catalog"))
    return made
