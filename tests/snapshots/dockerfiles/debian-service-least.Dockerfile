# Rendered by rearch from the template debian-service: a service and its files on Debian packages.
FROM base
# A base that was unpacked from packages says no PATH, and not every engine has one of its own.
ENV PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COPY --chown=0:0 --chmod=0755 ["linux/arm/v7/agent", "/usr/bin/"]
LABEL org.opencontainers.image.title="agent"
