# Rendered by rearch from the template debian-service: a service and its files on Debian packages.
FROM base
ARG FLAVOUR
# A base that was unpacked from packages says no PATH, and not every engine has one of its own.
ENV PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
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
LABEL org.opencontainers.image.title="agent" \
      org.example.why="it is \"so\" \\"
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["agent", "--flag", "two words", "a \"quoted\" $one"]
