# Rendered by rearch from the template rancher-agent: the agent of Rancher 1.6 and what it needs of a host.
FROM base
ARG FLAVOUR
ENV PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The agent starts helper containers from its own image, and the server's bootstrap compares this name with the one
# that it requires: where they differ, it starts its own (x86) image in the place of this one.
ENV RANCHER_AGENT_IMAGE="example/agent:v1"
ENV PLAIN="1" \
    SPACES="two words" \
    DOLLAR="\$HOME" \
    QUOTE="say \"hi\"" \
    END="c:\\"
COPY --chown=0:0 --chmod=0755 ["\"source/package/start here.sh\"", "\"/opt/start here/\""]
COPY --chown=agent:agent ["files/etc", "/etc/agent"]
COPY --chown=0:0 --chmod=0755 ["linux/arm/v7/agent", "/usr/bin/"]
COPY --chown=root:adm --chmod=4755 ["linux/arm/v7/other/helper", "/usr/bin/helper"]
EXPOSE 80
EXPOSE 53/udp
VOLUME ["/var/lib/agent", "\"/with space\""]
WORKDIR /var/lib/agent
USER agent:agent
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1500ms --timeout=30s --start-period=60s --retries=3 CMD ["curl", "-f", "http://localhost"]
# The server and network-manager know the agent's container by this label.
LABEL io.rancher.container.system="rancher-agent"
LABEL org.opencontainers.image.title="agent" \
      org.example.why="it is \"so\" \\"
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["agent", "--flag", "two words", "a \"quoted\" $one"]
