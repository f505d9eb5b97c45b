"""What git is told: only what is named enters."""

from __future__ import annotations

from pathlib import Path

from rearch.host.sources.git_environment import git_environment, git_settings, user_settings

CONFIG = Path("/cache/git/gitconfig")


def _settings(env: dict[str, str]) -> dict[str, str]:
    count = int(env["GIT_CONFIG_COUNT"])
    return {env[f"GIT_CONFIG_KEY_{index}"]: env[f"GIT_CONFIG_VALUE_{index}"] for index in range(count)}


def test_what_reaches_a_server_is_kept_and_the_rest_is_not() -> None:
    user = {
        "PATH": "/bin",
        "SSH_AUTH_SOCK": "/run/agent",
        "https_proxy": "http://proxy.example:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/ca.pem",
        "GIT_DIR": "/elsewhere/.git",
        "GIT_CONFIG_PARAMETERS": "'core.hooksPath=/evil'",
        "GIT_CONFIG_GLOBAL": "/home/me/.gitconfig",
        "GIT_ASKPASS": "/usr/bin/ask",
        "GIT_TRACE": "1",
        "LD_PRELOAD": "/evil.so",
    }
    env = git_environment(user, (), CONFIG, 30)
    kept = {"PATH", "SSH_AUTH_SOCK", "https_proxy", "NO_PROXY", "SSL_CERT_FILE"}
    assert {name: env[name] for name in kept} == {name: user[name] for name in kept}
    assert not {"GIT_DIR", "GIT_CONFIG_PARAMETERS", "GIT_ASKPASS", "GIT_TRACE", "LD_PRELOAD"} & set(env)
    assert env["GIT_CONFIG_GLOBAL"] == str(CONFIG)
    assert env["GIT_TERMINAL_PROMPT"] == "0"
    assert env["LC_ALL"] == "C"


def test_one_protocol_is_allowed_or_none() -> None:
    for protocol in ("https", "ssh", "file", "http"):
        found = dict(git_settings(protocol, 30))
        allowed = {key: value for key, value in found.items() if key.startswith("protocol.")}
        assert allowed == {"protocol.allow": "never", f"protocol.{protocol}.allow": "always"}
    assert {key for key, _ in git_settings(None, 30) if key.startswith("protocol.")} == {"protocol.allow"}


def test_ssh_never_asks_and_gives_up() -> None:
    env = git_environment({}, (), CONFIG, 12.5)
    assert env["GIT_SSH_COMMAND"].startswith("ssh -oBatchMode=yes -oConnectTimeout=13 ")
    assert git_environment({"GIT_SSH_COMMAND": "ssh -i key"}, (), CONFIG, 1)["GIT_SSH_COMMAND"] == "ssh -i key"
    assert "GIT_SSH_COMMAND" not in git_environment({"GIT_SSH": "/usr/bin/plink"}, (), CONFIG, 1)


def test_of_the_users_configuration_only_credentials_and_the_way_to_a_server_enter() -> None:
    user = (
        ("credential.helper", "store"),
        ("credential.https://example.org.username", "me"),
        ("http.proxy", "http://proxy.example"),
        ("http.https://example.org/.extraheader", "Authorization: x"),
        ("http.sslcainfo", "/ca.pem"),
        ("url.https://other.example/.insteadof", "https://example.org/"),
        ("core.hookspath", "/home/me/hooks"),
        ("core.sshcommand", "evil"),
        ("http.sslverify", "false"),
        ("filter.lfs.smudge", "git-lfs smudge"),
        ("protocol.ext.allow", "always"),
    )
    assert user_settings(user) == user[:5]


def test_our_settings_win() -> None:
    user = (("credential.interactive", "true"), ("credential.helper", "store"))
    found = _settings(git_environment({}, git_settings("https", 30, user), CONFIG, 30))
    assert found["credential.interactive"] == "false"
    assert found["credential.helper"] == "store"
    assert found["http.lowSpeedTime"] == "30"
    assert found["core.hooksPath"] == "/dev/null"
