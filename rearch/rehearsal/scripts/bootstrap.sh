#!/bin/sh
# What the stand-in server hands out under /v1/scripts/bootstrap: the steps that an agent's container takes before its
# program starts. @REQUIRED_IMAGE@ is put in by the server.
set -eu

REQUIRED_IMAGE='@REQUIRED_IMAGE@'
INSTALL_ITEMS="configscripts pyagent"
CATTLE_HOME=${CATTLE_HOME:-/var/lib/cattle}
CATTLE_CONFIG_URL=${CATTLE_CONFIG_URL:-$CATTLE_URL}
export CATTLE_HOME CATTLE_CONFIG_URL CATTLE_URL CATTLE_ACCESS_KEY CATTLE_SECRET_KEY

say() {
    echo "bootstrap: $*" >&2
}

# The secret goes through standard input: an argument could be read by every process of the host.
fetch() {
    printf 'user = "%s:%s"\n' "$CATTLE_ACCESS_KEY" "$CATTLE_SECRET_KEY" |
        curl -K - -sS -f -L --retry 5 --connect-timeout 20 -o "$2" "$1"
}

# Another image than the server demands replaces itself. There is no engine in here to do that with: it is said, and the
# agent of this image is not started.
if [ -n "$REQUIRED_IMAGE" ] && [ "${RANCHER_AGENT_IMAGE:-}" != "$REQUIRED_IMAGE" ]; then
    say "this image is '${RANCHER_AGENT_IMAGE:-}', the server demands '$REQUIRED_IMAGE': upgrading to $REQUIRED_IMAGE"
    exit 21
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/bootstrap.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

say "fetching configscripts from $CATTLE_CONFIG_URL"
fetch "$CATTLE_CONFIG_URL/configcontent/configscripts" "$scratch/archive"
mkdir "$scratch/content"
tar -xzf "$scratch/archive" -C "$scratch/content"

say "installing $INSTALL_ITEMS"
# shellcheck disable=SC2086 # a list of words
sh "$scratch"/content/*/config.sh --no-start $INSTALL_ITEMS

rm -rf "$scratch"
trap - EXIT
say "starting the agent"
exec "$CATTLE_HOME/pyagent/apply.sh" start
