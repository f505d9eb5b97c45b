"""Upstream repositories of the shapes that `rearch new` meets: small programs of our own in the layouts of the time."""

from __future__ import annotations

from tests.support.repositories import Content, Executable

_FLAGS = """\
package main

import (
	"flag"
	"fmt"
)

// VERSION is stamped.
var VERSION = "dev"

func main() {
	version := flag.Bool("version", false, "say the version")
	flag.Parse()
	if *version {
		fmt.Println(VERSION)
	}
}
"""


def module() -> dict[str, Content]:
    """A module with two programs below cmd/, a tool that is none of them, and a Makefile that stamps."""
    return {
        "README.md": "# Twins\n\n[![badge](x)](y)\n\nTwo programs that say hello to each other. And more.\n",
        "go.mod": "module example.org/team/twins\n\ngo 1.22\n",
        "cmd/left/main.go": _FLAGS.replace("var VERSION", "var unused = 1\n\nvar VERSION"),
        "cmd/right/main.go": 'package main\n\nimport "example.org/team/twins/version"\n\n'
        "func main() { println(version.Version) }\n",
        "version/version.go": 'package version\n\n// Version is stamped.\nvar Version = "dev"\n',
        "tools/gen/main.go": "package main\n\nfunc main() {}\n",
        "Makefile": "LDFLAGS := -X $(PKG)/version.Version=$(shell git describe --tags)\n\n"
        'all:\n\tgo build -ldflags "$(LDFLAGS)" -o bin/left ./cmd/left\n',
        "Dockerfile": "FROM golang:1.22 AS build\nRUN go build ./...\n\n"
        "FROM scratch\nCOPY --from=build /out/left /usr/local/bin/left\n"
        'ENV MODE=quiet\nEXPOSE 80\nENTRYPOINT ["/usr/local/bin/left"]\n',
    }


def vendored() -> dict[str, Content]:
    """A GOPATH of 2016: godep, an import comment nowhere, a package of its own and one of somebody else's."""
    return {
        "README": "hi\n",
        "main.go": 'package main\n\nimport (\n\t"example.com/old/helper/say"\n\t"example.org/team/porter/inner"\n)\n\n'
        'var (\n\tVERSION = "dev"\n\tGITCOMMIT string\n)\n\nfunc main() { say.Say(inner.Word, VERSION, GITCOMMIT) }\n',
        "inner/inner.go": 'package inner\n\n// Word is said.\nconst Word = "porter"\n',
        "inner/inner_test.go": 'package inner\n\nimport "testing"\n\nfunc TestWord(t *testing.T) {}\n',
        "vendor/example.com/old/helper/say/say.go": "package say\n\n// Say prints.\n"
        "func Say(words ...string) {\n\tfor _, word := range words {\n\t\tprintln(word)\n\t}\n}\n",
        "vendor/example.com/old/helper/cmd/x/main.go": "package main\n\nfunc main() {}\n",
        "Godeps/Godeps.json": '{\n\t"ImportPath": "example.org/team/porter",\n\t"GoVersion": "go1.5"\n}\n',
        ".travis.yml": "language: go\ngo:\n  - 1.5\n  - 1.6.2\n  - tip\n",
        "scripts/build": Executable(
            '#!/bin/sh\ngo build -ldflags "-X main.VERSION=$VERSION -X main.GITCOMMIT=`git rev-parse HEAD` '
            '-X main.GONE=1 -linkmode external" -o bin/porter\n'
        ),
    }


def dapper() -> dict[str, Content]:
    """As the services of 2017 lay: Dockerfile.dapper for two CPUs, package/Dockerfile, trash.conf, an x86 download."""
    return {
        "main.go": _FLAGS,
        "trash.conf": "# a comment\ngithub.com/team/keeper\n\nexample.com/old/helper  v1\n",
        "Dockerfile.dapper": "FROM ubuntu:16.04\n# FROM arm=armhf/ubuntu:16.04\nARG DAPPER_HOST_ARCH\n"
        "ENV HOST_ARCH=${DAPPER_HOST_ARCH} ARCH=${DAPPER_HOST_ARCH}\n"
        "ENV GOLANG_ARCH_amd64=amd64 GOLANG_ARCH_arm=armv6l GOLANG_ARCH=GOLANG_ARCH_${ARCH}\n"
        "RUN wget -O - https://storage.example.org/golang/go1.9.4.linux-${!GOLANG_ARCH}.tar.gz "
        "| tar -xzf - -C /usr/local\n"
        'ENV DAPPER_SOURCE /go/src/github.com/team/keeper/\nENTRYPOINT ["./scripts/entry"]\n',
        "package/Dockerfile": "FROM ubuntu:16.04\n"
        "RUN apt-get update && apt-get install -y curl=7 ca-certificates && rm -rf /var/lib/apt/lists/*\n"
        "ADD https://example.org/tini/releases/tini-amd64 /tini\nRUN chmod +x /tini\n"
        'COPY keeper start.sh /usr/bin/\nENTRYPOINT ["/tini", "--"]\nCMD start.sh\n',
        "pkg/files/start.sh": Executable("#!/bin/bash\nexec keeper\n"),
        "scripts/build": Executable('#!/bin/bash\ngo build -ldflags "-X main.VERSION=$VERSION" -o bin/keeper\n'),
    }


def with_c() -> dict[str, Content]:
    """A module with C code, and none to take its place."""
    return {
        "go.mod": "module example.org/team/mixed\n\ngo 1.21\n",
        "main.go": 'package main\n\n// static int twice(int n) { return 2 * n; }\nimport "C"\n\n'
        "func main() { println(int(C.twice(21))) }\n",
    }


def workspace() -> dict[str, Content]:
    """Three modules that a go.work joins: a program, what it requires, and what that one imports without a word."""
    return {
        "go.work": "go 1.21\n\nuse (\n\t./app // the program\n\t./lib\n\t./words\n)\n",
        "app/go.mod": "module example.org/team/app\n\ngo 1.21\n\nrequire example.org/team/lib v1.2.3\n",
        "app/main.go": 'package main\n\nimport "example.org/team/lib/say"\n\nfunc main() { say.Say() }\n',
        "lib/go.mod": "module example.org/team/lib\n\ngo 1.21\n",
        "lib/say/say.go": 'package say\n\nimport "example.org/team/words"\n\n'
        "// Say prints.\nfunc Say() { println(words.Word) }\n",
        "words/go.mod": "module example.org/team/words\n\ngo 1.21\n",
        "words/words.go": 'package words\n\n// Word is said.\nconst Word = "joined"\n',
    }


def vendored_workspace() -> dict[str, Content]:
    """Two programs and a library, joined by a go.work beside which `go work vendor` was run; no go.mod at the root."""
    return {
        "go.work": "go 1.22\n\nuse ./one\nuse ./two\nuse ./lib\n",
        "one/go.mod": "module example.org/team/one\n\ngo 1.22\n",
        "one/main.go": 'package main\n\nimport "example.org/team/lib"\n\nfunc main() { println("one", lib.Word) }\n',
        "two/go.mod": "module example.org/team/two\n\ngo 1.22\n",
        "two/main.go": 'package main\n\nfunc main() { println("two") }\n',
        "lib/go.mod": "module example.org/team/lib\n\ngo 1.22\n",
        "lib/lib.go": 'package lib\n\n// Word is said.\nconst Word = "joined"\n',
        "vendor/modules.txt": "## workspace\n",
    }
