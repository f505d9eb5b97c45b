"""What the rehearsal has in the place of Rancher's repositories: small programs and scripts of our own.

They do what the real ones do where that matters here: they have the same names, lie at the same places, are called in
the same way, and the archive is laid out as Rancher's scripts/package does it (rancher/agent at 1a79db5 and 3915e52).
The agent's first line names the architecture that it was compiled for, which no renaming can change.
"""

from __future__ import annotations

from collections.abc import Mapping

VERSION = "v0.13.11"
GITHUB = "https://github.com/rancher"
"""Where the recipes say that the repositories are; the project's `mirrors:` leads to those made here."""

_MODULE = "module github.com/rancher/{name}\n\ngo 1.21\n"

AGENT = """\
package main

import (
	"os"
	"runtime"
)

// VERSION is stamped by whoever builds it.
var VERSION = "dev"

func main() {
	os.Stdout.WriteString("rancher-agent " + runtime.GOARCH + " " + VERSION + "\\n")
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		return
	}
	os.Stdout.WriteString("started as " + os.Args[0] + " for " + os.Getenv("CATTLE_URL") + "\\n")
}
"""

# As Rancher's r: put before the command of a container, from a volume; it does its work and becomes the command.
R = """\
package main

import (
	"os"
	"runtime"
	"syscall"
)

func main() {
	os.Stdout.WriteString("r " + runtime.GOARCH + "\\n")
	if len(os.Args) < 2 {
		return
	}
	err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
	os.Stderr.WriteString(os.Args[1] + ": " + err.Error() + "\\n")
	os.Exit(127)
}
"""

# Without an argument it installs what was unpacked beside it; `start` becomes the agent.
APPLY = """\
#!/bin/sh
set -e

home=${CATTLE_HOME:-/var/lib/cattle}
here=$(cd "$(dirname "$0")" && pwd)

if [ "$1" = start ]; then
    exec "$home/pyagent/agent"
fi

mkdir -p "$home"
stage=$(mktemp -d "$home/.pyagent.XXXXXX")
cp "$here/apply.sh" "$here/bin/agent" "$stage/"
chmod 755 "$stage" "$stage/apply.sh" "$stage/agent"
rm -rf "$home/pyagent"
mv "$stage" "$home/pyagent"
"""

# Of the agent's image: called with the registration URL, as users do. It waits for the server, registers the host, asks
# for the bootstrap with the keys that it got, and becomes it.
RUN = """\
#!/bin/sh
set -eu

url=$1
scratch=$(mktemp -d)
export CATTLE_HOME="${CATTLE_HOME:-/var/lib/cattle}"

# Keys are told through the standard input: the list of processes is no place for them.
ask() {
    printf 'user = "%s:%s"\\n' "$1" "$2" >"$scratch/keys"
    shift 2
    curl --config - --silent --show-error --fail "$@" <"$scratch/keys"
}
field() {
    sed -n 's/.*"'"$1"'": *"\\([^"]*\\)".*/\\1/p' "$scratch/registered"
}

tries=0
until curl --silent --fail --output "$scratch/registration" "$url"; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || { echo "run.sh: $url does not answer"; exit 1; }
    sleep 1
done
[ "$(head -c 2 "$scratch/registration")" = '#!' ] || { echo "run.sh: $url is no registration script"; exit 1; }
. "$scratch/registration"

ask "$CATTLE_REGISTRATION_ACCESS_KEY" "$CATTLE_REGISTRATION_SECRET_KEY" --output "$scratch/registered" \
    --header 'Content-Type: application/json' \
    --data "{\\"key\\": \\"$CATTLE_PHYSICAL_HOST_UUID\\"}" "$CATTLE_URL/register"
CATTLE_ACCESS_KEY=$(field accessKey)
CATTLE_SECRET_KEY=$(field secretKey)
export CATTLE_URL CATTLE_ACCESS_KEY CATTLE_SECRET_KEY
echo "run.sh: registered $CATTLE_PHYSICAL_HOST_UUID, a $(uname -m)"

with_keys() {
    ask "$CATTLE_ACCESS_KEY" "$CATTLE_SECRET_KEY" "$@"
}
with_keys --output /dev/null "$CATTLE_URL/schemas/configcontent"
with_keys --output "$scratch/bootstrap" "$CATTLE_URL/scripts/bootstrap"
if with_keys --output /dev/null "$CATTLE_URL/schemas/account" 2>/dev/null; then
    echo "run.sh: these are no keys of an agent"
    exit 1
fi
rm "$scratch/keys" "$scratch/registered"
exec sh "$scratch/bootstrap" "$url"
"""


def repositories() -> Mapping[str, Mapping[str, str]]:
    """Files of each repository by path; those that begin with `#!` are executable."""
    return {
        "agent": {
            "go.mod": _MODULE.format(name="agent"),
            "main.go": AGENT,
            "apply.sh": APPLY,
            "package/run.sh": RUN,
        },
        "r": {"go.mod": _MODULE.format(name="r"), "main.go": R},
    }
