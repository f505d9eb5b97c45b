"""Everything that git is told besides its arguments. Pure.

Of the user's environment only what is needed to reach a server enters: the ssh agent, proxies, certificate files, and
what credential helpers need. Of the user's git configuration only `credential.*` and the `http.*` keys of certificates,
proxies and extra headers enter; `url.*.insteadOf` does not, because the lock names a URL and `mirrors:` rewrites it in
the open. Everything else (hooks, filters, attributes, templates, aliases) is switched off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from rearch.host.sources.git_urls import Protocol

Setting = tuple[str, str]

KEPT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR"),
        *("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSH_VARIANT"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
        *("GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_PROXY_SSL_CAINFO"),
        *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME"),
    }
)

_USER_KEYS = re.compile(
    r"credential\..+|http\.(?:.+\.)?(?:proxy|proxyauthmethod|proxyssl\w+|sslcainfo|sslcapath|sslcert|sslkey|extraheader"
    r"|cookiefile|emptyauth|delegation)",
    re.IGNORECASE,
)

# Mistakes of old tools that stand in the history of honest projects; they do not touch the content.
_OLD_MISTAKES = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingTaggerEntry",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

_SETTINGS: tuple[Setting, ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.symlinks", "true"),
    ("core.autocrlf", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("credential.interactive", "false"),
    ("fetch.fsckObjects", "true"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("http.lowSpeedLimit", "1"),
    ("init.defaultBranch", "main"),
    ("log.showSignature", "false"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    *((f"fetch.fsck.{name}", "ignore") for name in _OLD_MISTAKES),
)


def git_settings(protocol: Protocol | None, stall: float, user: Iterable[Setting] = ()) -> tuple[Setting, ...]:
    """git's configuration for one command: `protocol` is the only one allowed, `stall` seconds of silence the limit."""
    allowed = ((f"protocol.{protocol}.allow", "always"),) if protocol else ()
    # The user's first: where both speak, ours win.
    return (*user_settings(user), *_SETTINGS, ("http.lowSpeedTime", str(math.ceil(stall))), *allowed)


def user_settings(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Those of the user's settings that are needed to reach a server."""
    return tuple((key, value) for key, value in settings if _USER_KEYS.fullmatch(key))


def git_environment(user: Mapping[str, str], settings: Iterable[Setting], config: Path, stall: float) -> dict[str, str]:
    """The whole environment of git. `config` is a file of ours that stands in for ~/.gitconfig.

    Settings go through the environment and not through `-c`, where other users of the host could read them.
    """
    seconds = max(1, math.ceil(stall))
    ssh = f"ssh -oBatchMode=yes -oConnectTimeout={seconds} -oServerAliveInterval={seconds} -oServerAliveCountMax=2"
    env = {name: value for name, value in user.items() if name in KEPT}
    if "GIT_SSH" not in env:
        env.setdefault("GIT_SSH_COMMAND", ssh)
    env |= {
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    return env | _numbered(tuple(settings))


def _numbered(settings: tuple[Setting, ...]) -> dict[str, str]:
    """Settings as git-config(1) reads them from the environment."""
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return env


# upload-pack of a file:// repository, and our own mirrors, may belong to another user (a container, a shared
# cache). It is made to be safe on foreign repositories (git-upload-pack(1), SECURITY); hooks are off here.
# git reads safe.directory only from files when it starts itself again, so it cannot go through the environment.
CONFIG_TEXT = "[safe]\n\tdirectory = *\n"
