#!/bin/sh
# What giddyup asks before it answers /ping: is this engine in a swarm?
state=$(curl -sf --max-time 10 --unix-socket /var/run/docker.sock http://localhost/info | jq -r .Swarm.LocalNodeState)
[ "$state" = active ]
