package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func names(targets []target) []string {
	var texts []string
	for _, one := range targets {
		texts = append(texts, one.String())
	}
	return texts
}

func TestFlagsWinOverVariables(t *testing.T) {
	environment := []string{"AWAIT_HTTP=http://a/ http://b/", "AWAIT_FILE=/x", "AWAIT_LIMIT=5m", "AWAIT_MAX=", "AWAIT_TCP= "}
	got, err := parse([]string{"--http", "http://c/", "--limit", "90", "--http=http://d/", "--", "run", "--flag"}, environment)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"http://c/", "http://d/", "file /x"}; !reflect.DeepEqual(names(got.targets), want) {
		t.Errorf("targets %v, not %v", names(got.targets), want)
	}
	if got.limit != 90*time.Second || got.longest != 15*time.Second || got.first != 250*time.Millisecond {
		t.Errorf("times %v %v %v", got.limit, got.longest, got.first)
	}
	if want := []string{"run", "--flag"}; !reflect.DeepEqual(got.command, want) {
		t.Errorf("command %v", got.command)
	}
}

func TestVariablesAlone(t *testing.T) {
	got, err := parse([]string{"run"}, []string{"AWAIT_TCP=h:1 [::1]:2", "AWAIT_PING=URL", "URL=http://s:8080/v1", "AWAIT_EACH=0"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"http://s:8080/ping", "tcp h:1", "tcp [::1]:2"}; !reflect.DeepEqual(names(got.targets), want) {
		t.Errorf("targets %v, not %v", names(got.targets), want)
	}
	if got.each != 0 {
		t.Errorf("each %v", got.each)
	}
}

func TestWhatMakesNoSense(t *testing.T) {
	for _, one := range []struct {
		arguments   string
		environment []string
		says        string
	}{
		{"", nil, "no command"},
		{"--http http://a/", nil, "no command"},
		{"--nothing x", nil, "-nothing"},
		{"--limit soon x", nil, "a time is wanted"},
		{"--limit -1s x", nil, "a time is wanted"},
		{"--first 0 x", nil, "longer than 0"},
		{"--http ftp://a/ x", nil, "http:// or https://"},
		{"--http http:///path x", nil, "names a host"},
		{"--tcp host x", nil, "HOST:PORT"},
		{"x", []string{"AWAIT_LIMIT=soon"}, "AWAIT_LIMIT is \"soon\""},
		{"x", []string{"AWAIT_PING=URL", "URL=nowhere"}, "URL: "},
	} {
		_, err := parse(strings.Fields(one.arguments), one.environment)
		if err == nil || !strings.Contains(err.Error(), one.says) {
			t.Errorf("%q %v: %v, not %q", one.arguments, one.environment, err, one.says)
		}
	}
}

func TestHelp(t *testing.T) {
	if _, err := parse([]string{"--help"}, nil); !errors.Is(err, errHelp) {
		t.Errorf("%v", err)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	got, err := parse([]string{"x"}, []string{"AWAIT_HTTP=http://user:secret@a/path?token=secret"})
	if err != nil || strings.Contains(got.targets[0].String(), "secret") {
		t.Errorf("%v %v", got.targets, err)
	}
	_, err = parse([]string{"x"}, []string{"AWAIT_HTTP=ftp://user:secret@a/"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestPingIsBesideTheAPI(t *testing.T) {
	for api, want := range map[string]string{
		"http://s:8080/v1":                  "http://s:8080/ping",
		"http://s:8080/v2-beta/":            "http://s:8080/ping",
		"https://s/rancher/v1/projects/1a5": "https://s/rancher/ping",
		"http://s":                          "http://s/ping",
		"http://s/v1?a=b#c":                 "http://s/ping",
	} {
		got, err := pingURL(api)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v %v, not %s", api, got, err, want)
		}
	}
}
