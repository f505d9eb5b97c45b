"""Git repositories of the shape of Rancher 1.6's, for the recipes of recipes/rancher.

The same import paths, vendor folders, package/ and scripts/ folders, tags, and in the files that a recipe edits the
same few lines; everything else is small stand-ins of our own. Each program can show what an edit changed:

    healthcheck     WAIT=counted                  waits for metadata without sleeping, and says how long it would have
    plugin-manager  NETWORK=down                  says how often it tried to wire a container
    scheduler       --metadata-address answers:1,-,bad,broken    metadata that answers so; it ends after the last one
    agent           CPUINFO=<file>                says what it read from that instead of /proc/cpuinfo
    agent           ADDRESS=limit                 says how long a container may take to get its address
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.ill_programs import ILL_PROGRAMS
from tests.support.repositories import Content, Executable, Repository, make_repository

TAGS = {
    "healthcheck": "v0.3.8",
    "plugin-manager": "v0.7.22",
    "scheduler": "v0.8.6",
    "agent": "v0.13.11",
    "share-mnt": "v1.0.0",
}

_LOGRUS = """\
package logrus

import (
	"fmt"
	"os"
)

func say(level, format string, args []interface{}) {
	fmt.Fprintf(os.Stderr, "level=%s msg=%q\\n", level, fmt.Sprintf(format, args...))
}

func Infof(format string, args ...interface{}) { say("info", format, args) }

func Errorf(format string, args ...interface{}) { say("error", format, args) }

func Fatalf(format string, args ...interface{}) {
	say("fatal", format, args)
	os.Exit(1)
}
"""

_CLI = """\
package cli

import (
	"fmt"
	"strings"
)

type StringFlag struct {
	Name, Value, Usage string
}

type Context struct {
	values map[string]string
}

func (c *Context) String(name string) string { return c.values[name] }

type App struct {
	Name, Version string
	Flags         []StringFlag
	Action        func(*Context) error
}

func (a *App) Run(args []string) error {
	context := &Context{values: map[string]string{}}
	for _, flag := range a.Flags {
		context.values[flag.Name] = flag.Value
	}
	for i := 1; i < len(args); i++ {
		name := strings.TrimLeft(args[i], "-")
		if name == "help" {
			a.help()
			return nil
		}
		if name == "version" {
			fmt.Println(a.Name, "version", a.Version)
			return nil
		}
		if _, known := context.values[name]; !known || i+1 == len(args) {
			return fmt.Errorf("flag provided but not defined: -%s", name)
		}
		i++
		context.values[name] = args[i]
	}
	return a.Action(context)
}

func (a *App) help() {
	fmt.Println("NAME:", a.Name)
	for _, flag := range a.Flags {
		fmt.Printf("   --%s value   %s (default: %q)\\n", flag.Name, flag.Usage, flag.Value)
	}
}
"""

_METADATA = """\
package metadata

import (
	"errors"
	"strings"
)

type Client interface {
	GetVersion() (string, error)
	OnChange(seconds int, do func(string))
	OnChangeWithError(seconds int, do func(string)) error
}

var errOver = errors.New("no more answers")

// scripted answers what its address says: "answers:1,-,2"; a dash is an error, as is every other address.
type scripted struct {
	answers []string
}

func NewClient(address string) Client {
	if !strings.HasPrefix(address, "answers:") {
		return &scripted{}
	}
	return &scripted{answers: strings.Split(strings.TrimPrefix(address, "answers:"), ",")}
}

func NewClientAndWait(address string) (Client, error) {
	client := NewClient(address)
	return client, testConnection(client)
}

func (c *scripted) GetVersion() (string, error) {
	if len(c.answers) == 0 {
		return "", errOver
	}
	answer := c.answers[0]
	c.answers = c.answers[1:]
	if answer == "-" {
		return "", errors.New("connection refused")
	}
	return answer, nil
}
"""

_METADATA_CHANGE = """\
package metadata

import "github.com/Sirupsen/logrus"

func (c *scripted) OnChangeWithError(seconds int, do func(string)) error {
	for {
		version, err := c.GetVersion()
		if err == errOver {
			return nil
		} else if err != nil {
			return err
		}
		do(version)
	}
}

func (c *scripted) OnChange(seconds int, do func(string)) {
	for {
		err := c.OnChangeWithError(seconds, do)
		if err == nil {
			return
		}
		logrus.Errorf("metadata: %v, trying again", err)
	}
}
"""

_METADATA_UTILS = """\
package metadata

import "time"

// Pause is how the client waits between two tries.
var Pause = time.Sleep

func testConnection(client Client) error {
	var err error
	maxTime := 20 * time.Second
	for wait := 1 * time.Second; wait < maxTime; wait *= 2 {
		if _, err = client.GetVersion(); err == nil {
			return nil
		}
		Pause(wait)
	}
	return err
}
"""

_HEALTHCHECK = """\
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/Sirupsen/logrus"
	"github.com/rancher/go-rancher-metadata/metadata"
	"github.com/urfave/cli"
)

func main() {
	app := &cli.App{
		Name:   "healthcheck",
		Flags:  []cli.StringFlag{{Name: "metadata-address", Value: "169.254.169.250", Usage: "where metadata is"}},
		Action: run,
	}
	if err := app.Run(os.Args); err != nil {
		logrus.Fatalf("%v", err)
	}
}

func run(c *cli.Context) error {
	waited := time.Duration(0)
	if os.Getenv("WAIT") == "counted" {
		metadata.Pause = func(more time.Duration) { waited += more }
	}
	_, err := metadata.NewClientAndWait(c.String("metadata-address"))
	fmt.Println("waited", waited)
	return err
}
"""

_PLUGIN_MANAGER = """\
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Sirupsen/logrus"
	"github.com/rancher/go-rancher-metadata/metadata"
	"github.com/rancher/plugin-manager/network"
	"github.com/urfave/cli"
)

var VERSION = "v0.0.0-dev"

func main() {
	app := &cli.App{
		Name:    "plugin-manager",
		Version: VERSION,
		Flags:   []cli.StringFlag{{Name: "metadata-address", Value: "169.254.169.250", Usage: "where metadata is"}},
		Action:  run,
	}
	if err := app.Run(os.Args); err != nil {
		logrus.Fatalf("%v", err)
	}
}

func run(c *cli.Context) error {
	if os.Getenv("NETWORK") == "down" {
		down := func() error { return errors.New("no network") }
		tries, err := network.Up(down, func(time.Duration) {})
		fmt.Println("tries", tries)
		return err
	}
	_, err := metadata.NewClientAndWait(c.String("metadata-address"))
	return err
}
"""

_PLUGIN_MANAGER_NETWORK = """\
package network

import "time"

const (
	maxRetries = 15
	retryPause = 2 * time.Second
)

// Up tries to wire a container; the number of tries is the first result.
func Up(wire func() error, pause func(time.Duration)) (int, error) {
	var err error
	for try := 1; try <= maxRetries; try++ {
		if err = wire(); err == nil {
			return try, nil
		}
		pause(retryPause)
	}
	return maxRetries, err
}
"""

_SCHEDULER = """\
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/Sirupsen/logrus"
	"github.com/rancher/go-rancher-metadata/metadata"
	"github.com/rancher/scheduler/resourcewatchers"
	"github.com/urfave/cli"
)

var VERSION = "v0.0.0-dev"

func main() {
	app := &cli.App{
		Name:    "scheduler",
		Version: VERSION,
		Flags:   []cli.StringFlag{{Name: "metadata-address", Value: "169.254.169.250", Usage: "where metadata is"}},
		Action:  run,
	}
	if err := app.Run(os.Args); err != nil {
		logrus.Fatalf("%v", err)
	}
}

func run(c *cli.Context) error {
	if os.Getenv("CATTLE_URL") == "" {
		logrus.Fatalf("Cattle connection environment variables not available.")
	}
	sleepTime := 1
	sleep := os.Getenv("CATTLE_SCHEDULER_SLEEPTIME")
	if seconds, err := strconv.Atoi(sleep); err != nil {
		sleepTime = seconds
	}
	fmt.Println("sleep time", sleepTime)
	return resourcewatchers.WatchMetadata(metadata.NewClient(c.String("metadata-address")))
}
"""

_SCHEDULER_METADATA = """\
package resourcewatchers

import (
	"errors"
	"fmt"

	"github.com/Sirupsen/logrus"
	"github.com/rancher/go-rancher-metadata/metadata"
)

type metadataWatcher struct {
	consecutiveErrorCount int
	initialized           bool
}

func WatchMetadata(mdClient metadata.Client) error {
	w := &metadataWatcher{}
	return mdClient.OnChangeWithError(5, w.updateFromMetadata)
}

func (w *metadataWatcher) updateFromMetadata(mdVersion string) {
	if mdVersion == "bad" {
		w.checkError(errors.New("metadata makes no sense"))
		return
	}
	err := usedResources(mdVersion)
	if err != nil && !w.initialized {
		logrus.Errorf("Cannot get used resources for hosts at the start: %v", err)
		panic(err)
	}
	if err != nil {
		logrus.Errorf("Cannot get used resources for hosts: %v", err)
		panic(err)
	}
	fmt.Println("scheduled by", mdVersion)
	w.initialized = true
}

func usedResources(mdVersion string) error {
	if mdVersion == "broken" {
		return errors.New("time-out")
	}
	return nil
}

func (w *metadataWatcher) checkError(err error) {
	w.consecutiveErrorCount++
	if w.consecutiveErrorCount > 5 {
		panic(fmt.Sprintf("%v errors", w.consecutiveErrorCount))
	}
	logrus.Errorf("error %v: %v", w.consecutiveErrorCount, err)
}
"""

_AGENT = """\
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/Sirupsen/logrus"
	"github.com/rancher/agent/core/hostInfo"
	"github.com/rancher/agent/utilities"
	"github.com/urfave/cli"
)

var VERSION = "dev"

func main() {
	app := &cli.App{Name: "agent", Version: VERSION, Action: run}
	if err := app.Run(os.Args); err != nil {
		logrus.Fatalf("%v", err)
	}
}

func run(c *cli.Context) error {
	if os.Getenv("ADDRESS") == "limit" {
		fmt.Println("address within", utilities.AddressLimit())
		return nil
	}
	text, err := os.ReadFile(os.Getenv("CPUINFO"))
	if err != nil {
		return err
	}
	info := hostInfo.Collect(strings.Split(strings.TrimSpace(string(text)), "\\n"))
	fmt.Println("model", info["model"], "count", info["count"])
	return nil
}
"""

_AGENT_UTILITIES = """\
package utilities

import "time"

// AddressLimit is how long a container may take to get its address.
func AddressLimit() time.Duration {
	endTime := time.Now().Add(30 * time.Second)
	return time.Until(endTime).Round(time.Second)
}
"""

_SHARE_MNT = """\
package main

import (
	"fmt"
	"os"
)

const version = "1.0.0"

func main() {
	fmt.Println("share-mnt", version)
	fmt.Println("usage:", os.Args[0], "DIR... -- COMMAND, or stage2 DIR...")
}
"""

_VENDOR: Mapping[str, Content] = {
    "vendor/github.com/Sirupsen/logrus/logrus.go": _LOGRUS,
    "vendor/github.com/urfave/cli/cli.go": _CLI,
}
_VENDOR_METADATA: Mapping[str, Content] = _VENDOR | {
    "vendor/github.com/rancher/go-rancher-metadata/metadata/metadata.go": _METADATA,
    "vendor/github.com/rancher/go-rancher-metadata/metadata/change.go": _METADATA_CHANGE,
    "vendor/github.com/rancher/go-rancher-metadata/metadata/utils.go": _METADATA_UTILS,
}
_CPU = "core/hostInfo/cpu_info_unix.go"

_SOURCES: Mapping[str, Mapping[str, Content]] = {
    "healthcheck": {"main.go": _HEALTHCHECK, **_VENDOR_METADATA},
    "plugin-manager": {
        "main.go": _PLUGIN_MANAGER,
        "network/manager.go": _PLUGIN_MANAGER_NETWORK,
        **_VENDOR_METADATA,
    },
    "scheduler": {
        "main.go": _SCHEDULER,
        "resourcewatchers/metadata.go": _SCHEDULER_METADATA,
        **_VENDOR_METADATA,
    },
    "agent": {
        "main.go": _AGENT,
        "utilities/utils.go": _AGENT_UTILITIES,
        _CPU: ILL_PROGRAMS["cpuinfo-arm"].files[_CPU],
        **_VENDOR,
    },
    "share-mnt": {"main.go": _SHARE_MNT},
}


def source_files(repository: str) -> dict[str, Content]:
    """The files of one repository."""
    around: dict[str, Content] = {
        "README.md": f"# {repository}\n",
        "Dockerfile.dapper": "FROM scratch\n",
        "package/Dockerfile": f"FROM scratch\nCOPY {repository} /usr/bin/\n",
        "scripts/build": Executable("#!/bin/bash\nexit 1\n"),
        "trash.conf": f"github.com/rancher/{repository}\n",
    }
    return around | dict(_SOURCES[repository])


def make_upstreams(folder: Path) -> dict[str, Repository]:
    """All five repositories below `folder`, each with a commit after the tagged one, by their names."""
    made: dict[str, Repository] = {}
    for name, tag in TAGS.items():
        made[name] = make_repository(folder / name, source_files(name), tag=tag, annotated=True)
        made[name].commit({**source_files(name), "CHANGES": "later\n"}, "later work")
    return made
