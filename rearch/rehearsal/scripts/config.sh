#!/bin/sh
# Fetches content items from the server, checks them, applies them, and reports the versions applied.
#
#   config.sh [--no-start] [--force] [--archive-url URL] ITEM...
#
# Exit status 122: another config.sh is at work.
set -eu

CATTLE_HOME=${CATTLE_HOME:-/var/lib/cattle}
CATTLE_CONFIG_URL=${CATTLE_CONFIG_URL:-${CATTLE_URL:-}}
export CATTLE_HOME CATTLE_CONFIG_URL
DOWNLOADS=$CATTLE_HOME/download
force=
archive_url=
scratch=

say() {
    echo "config.sh: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

# curl's own settings come through standard input, so that no secret is an argument.
ask() {
    if [ -n "${CATTLE_AGENT_INSTANCE_AUTH:-}" ]; then
        printf 'header = "Authorization: %s"\n' "$CATTLE_AGENT_INSTANCE_AUTH"
    else
        printf 'user = "%s:%s"\n' "${CATTLE_ACCESS_KEY:-}" "${CATTLE_SECRET_KEY:-}"
    fi | curl -K - -sS -f -L --retry 5 --connect-timeout 20 "$@"
}

lock() {
    command -v flock >/dev/null 2>&1 || return 0
    mkdir -p "$CATTLE_HOME/locks"
    exec 9>"$CATTLE_HOME/locks/config.lock"
    flock -n 9 || exit 122
}

# The one root folder of what was unpacked.
root_of() {
    set -- "$1"/*
    [ $# -eq 1 ] && [ -d "$1" ] || return 1
    basename "$1"
}

# Both sums, from the folder that the archive was unpacked into: their paths begin with the root folder.
check() {
    for sums in SHA1SUMSSUM SHA1SUMS; do
        [ -f "$1/$2/$sums" ] || fail "$item: no $sums in the archive"
        (cd "$1" && sha1sum -c "$2/$sums" >/dev/null) || fail "$item: $sums is wrong"
    done
}

apply() {
    if ! (cd "$1" && ./apply.sh); then
        say "$item: apply.sh failed, and is run again with its steps shown"
        (cd "$1" && sh -x ./apply.sh) || fail "$item: apply.sh failed"
    fi
}

install() {
    item=$1
    url="$CATTLE_CONFIG_URL//configcontent//$item"
    current=
    if [ -z "$force" ] && [ -f "$DOWNLOADS/$item/current/version" ]; then
        current=$(cat "$DOWNLOADS/$item/current/version")
    fi
    scratch=$(mktemp -d "$DOWNLOADS/tmp.XXXXXX")
    mkdir "$scratch/content"
    if [ -n "$archive_url" ]; then
        curl -sS -f -L --retry 5 -o "$scratch/archive" "$archive_url" || fail "$item: cannot be fetched"
    else
        ask -o "$scratch/archive" "$url?current=$current" || fail "$item: the server did not give it"
    fi
    tar -xzf "$scratch/archive" -C "$scratch/content" || fail "$item: this is no archive"
    root=$(root_of "$scratch/content") || fail "$item: the archive must have exactly one root folder"
    check "$scratch/content" "$root"
    if [ -n "$archive_url" ]; then
        printf '%s' "$archive_url" | md5sum | cut -d' ' -f1 >"$scratch/content/$root/version"
    fi
    if [ -e "$scratch/content/$root/uptodate" ]; then
        say "$item: up to date"
    else
        mkdir -p "$DOWNLOADS/$item"
        rm -rf "${DOWNLOADS:?}/$item/$root"
        mv "$scratch/content/$root" "$DOWNLOADS/$item/$root"
        apply "$DOWNLOADS/$item/$root"
        ln -sfn "$root" "$DOWNLOADS/$item/current"
        say "$item: applied $root"
    fi
    if [ -z "$archive_url" ] && [ -f "$DOWNLOADS/$item/current/version" ]; then
        ask -o /dev/null -X PUT "$url?version=$(cat "$DOWNLOADS/$item/current/version")" ||
            fail "$item: the server did not take the version"
    fi
    rm -rf "$scratch"
    scratch=
}

trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
while [ $# -gt 0 ]; do
    case $1 in
        --no-start) ;; # whoever calls starts the agent
        --force) force=yes ;;
        --archive-url)
            archive_url=$2
            shift
            ;;
        --*) fail "unknown flag $1" ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || fail "which item?"
mkdir -p "$DOWNLOADS"
lock
for each in "$@"; do
    install "$each"
done
