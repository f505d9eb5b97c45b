"""Dockerfiles as values: read, checked, their variables put in. Nothing here runs or copies anything.

Our own reader. Those that exist do not serve: `dockerfile-parse` had its last release in 2023 and knows neither
heredocs nor the newer flags, `dockerfile` is an extension written in Go without wheels for most hosts.
Source of the rules: docs.docker.com/reference/dockerfile ("Dockerfile reference"), and where it is silent, what
BuildKit's frontend does (github.com/moby/buildkit, frontend/dockerfile).
"""
