"""Go stand-ins for the packages that Rancher's programs carry in vendor/: a few lines of our own for each."""

from __future__ import annotations

LOGRUS = """\
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

CLI = """\
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

METADATA = """\
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

METADATA_CHANGE = """\
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

METADATA_UTILS = """\
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
