"""Go programs in the place of Rancher's, each with the lines that the recipes edit: see rancher_upstreams."""

from __future__ import annotations

HEALTHCHECK = """\
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

PLUGIN_MANAGER = """\
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

PLUGIN_MANAGER_NETWORK = """\
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

SCHEDULER = """\
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

SCHEDULER_METADATA = """\
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

AGENT = """\
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

AGENT_UTILITIES = """\
package utilities

import "time"

// AddressLimit is how long a container may take to get its address.
func AddressLimit() time.Duration {
	endTime := time.Now().Add(30 * time.Second)
	return time.Until(endTime).Round(time.Second)
}
"""

SHARE_MNT = """\
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

GIDDYUP = """\
package main

import (
	"fmt"
	"os"

	"github.com/Sirupsen/logrus"
	"github.com/cloudnautique/giddyup/version"
	"github.com/urfave/cli"
)

func main() {
	app := &cli.App{Name: "giddyup", Version: version.VERSION, Action: run}
	if err := app.Run(os.Args); err != nil {
		logrus.Fatalf("%v", err)
	}
}

func run(c *cli.Context) error {
	fmt.Println("OK")
	return nil
}
"""

GIDDYUP_VERSION = """\
package version

var VERSION = "dev"
"""
