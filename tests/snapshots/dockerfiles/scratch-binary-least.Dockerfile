# Rendered by rearch from the template scratch-binary: files on a base, or on nothing.
FROM scratch
COPY --chown=0:0 --chmod=0755 ["linux/arm/v7/agent", "/usr/bin/"]
LABEL org.opencontainers.image.title="agent"
