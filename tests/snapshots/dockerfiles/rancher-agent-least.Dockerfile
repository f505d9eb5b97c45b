# Rendered by rearch from the template rancher-agent: the agent of Rancher 1.6 and what it needs of a host.
FROM base
ENV PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The agent starts helper containers from its own image, and the server's bootstrap compares this name with the one
# that it requires: where they differ, it starts its own (x86) image in the place of this one.
ENV RANCHER_AGENT_IMAGE="example/agent:v1"
COPY --chown=0:0 --chmod=0755 ["linux/arm/v7/agent", "/usr/bin/"]
# The server and network-manager know the agent's container by this label.
LABEL io.rancher.container.system="rancher-agent"
LABEL org.opencontainers.image.title="agent"
