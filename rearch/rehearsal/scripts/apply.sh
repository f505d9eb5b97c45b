#!/bin/sh
# Applies the item configscripts: config.sh gets its place in the agent's home.
set -eu

mkdir -p "$CATTLE_HOME"
cp config.sh "$CATTLE_HOME/.config.sh.new"
chmod 755 "$CATTLE_HOME/.config.sh.new"
mv "$CATTLE_HOME/.config.sh.new" "$CATTLE_HOME/config.sh"
