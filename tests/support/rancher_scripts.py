"""Scripts and a configuration in the place of Rancher's, which images copy: see rancher_upstreams."""

from __future__ import annotations

# Called as `haproxy_reload.sh CONFIG start|reload`. It starts haproxy as a service, and finds it by its command line.
HAPROXY_RELOAD = """\
#!/bin/bash
set -e

running="$(pgrep -d ' ' -f '/usr/sbin/haproxy -f /etc/haproxy/haproxy.cfg' || true)"
if [ "$2" = start ] || [ -z "$running" ]; then
    exec service haproxy start
fi
cmp -s "$1" /etc/haproxy/haproxy_new.cfg && exit 0
cp /etc/haproxy/haproxy_new.cfg "$1"
exec /usr/sbin/haproxy -f "$1" -D -p /var/run/haproxy.pid -sf $running
"""

HAPROXY_TEMPLATE = """\
global
    user haproxy
    group haproxy
    chroot /var/lib/haproxy
    stats socket /var/run/haproxy.sock mode 600 level admin

defaults
    mode tcp
    timeout connect 5s
    timeout client 50s
    timeout server 50s

listen alive
    bind *:42
{{range .backends}}
backend {{.UUID}}
    server {{.Server.UUID}} {{.Server.Address}}:{{.Server.Port}} check
{{end}}
"""

# Starts what it is given, after it has looked for a container of an older Rancher with a docker client.
START = """\
#!/bin/bash
set -e

NETWORK_AGENT=$(docker ps -f label=io.rancher.container.system=NetworkAgent -q)
if [ -n "$NETWORK_AGENT" ]; then
    docker rm -fv $NETWORK_AGENT
fi
if [ -n "$DOCKER_BRIDGE" ] && [ -n "$METADATA_IP" ]; then
    ip route add "$METADATA_IP/32" dev "$DOCKER_BRIDGE" || true
fi
exec "$@"
"""

# swarmkit's script, as far as the recipe edits it: it removes nodes in three places, and asks the engine eight times.
SWARMKIT = r"""#!/bin/bash
engine_says() { echo $(curl -s --unix-socket /var/run/docker.sock http::/info | jq -r $1); }
remove_old_hosts() {
  echo "the old way" && docker node rm --force everybody
}
reconcile_node() {
  remove_old_hosts
  nodes=$(curl -s --unix-socket /var/run/docker.sock http::/nodes)
  echo $(echo $nodes | jq length) nodes
  unreachable_manager_nodes='[{"ID": "far"}]'
  manager_unreachable_count=0
  if [ "$manager_unreachable_count" -gt "0" ]; then
    docker node rm far
  fi
  for hostname in $(echo $nodes | jq -r 'map(select(.Status.State=="down"))  | .[].Description.Hostname'); do
    docker node rm $hostname
  done
}
# In upstream's script six more lines ask so:
# http::/ http::/ http::/ http::/ http::/ http::/
reconcile_node
"""
