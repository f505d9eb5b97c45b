package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const usage = `usage: await [flags] -- COMMAND [ARGUMENTS]

Waits until everything that is named is there, then runs COMMAND as its child, passes signals on, reaps orphans and
ends with COMMAND's exit code (128 + n after signal n). Nothing named: it runs COMMAND at once.

flags, each also as a variable; a flag wins over its variable        variable
  --http URL      answers 2xx, with all of its body                  AWAIT_HTTP
  --ping NAME     the server whose API address is in the variable    AWAIT_PING
                  NAME (http://server/v1) answers /ping; unset: no wait
  --tcp HOST:PORT takes a connection                                 AWAIT_TCP
  --file PATH     is there                                           AWAIT_FILE
  --limit 10m     give up after that (0: never), with exit code 75   AWAIT_LIMIT
  --first 250ms   first pause; each further one is twice as long     AWAIT_FIRST
  --max 15s       longest pause                                      AWAIT_MAX
  --timeout 10s   longest single try                                 AWAIT_TIMEOUT
  --each 30s      say again what is missing after that (0: never)    AWAIT_EACH

--http, --ping, --tcp and --file may be repeated; their variables take several with blanks between. Times are 90s, 10m,
1h30m, or a number of seconds. A variable that is set to nothing means: do not wait for that.
`

var errHelp = errors.New("help was asked for")

type options struct {
	targets []target
	limit   time.Duration
	first   time.Duration
	longest time.Duration
	timeout time.Duration
	each    time.Duration
	command []string
}

// list is a flag that may be repeated. Given once, it replaces what its variable says.
type list struct {
	values []string
	given  bool
}

func (l *list) String() string { return strings.Join(l.values, " ") }

func (l *list) Set(value string) error {
	if !l.given {
		l.values, l.given = nil, true
	}
	l.values = append(l.values, strings.Fields(value)...)
	return nil
}

// span is a duration that may also be a plain number of seconds.
type span time.Duration

func (s *span) String() string { return time.Duration(*s).String() }

func (s *span) Set(value string) error {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		*s = span(time.Duration(seconds) * time.Second)
		return nil
	}
	duration, err := time.ParseDuration(value)
	if err != nil || duration < 0 {
		return fmt.Errorf("a time is wanted, as in 90s, 10m or 600 (seconds)")
	}
	*s = span(duration)
	return nil
}

// parse reads the flags, and the variables where no flag was given.
func parse(arguments, environment []string) (options, error) {
	variables := mapping(environment)
	var urls, pings, addresses, files list
	limit, first, longest := span(10*time.Minute), span(250*time.Millisecond), span(15*time.Second)
	timeout, each := span(10*time.Second), span(30*time.Second)
	flags := flag.NewFlagSet("await", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for name, value := range map[string]flag.Value{
		"http": &urls, "ping": &pings, "tcp": &addresses, "file": &files,
		"limit": &limit, "first": &first, "max": &longest, "timeout": &timeout, "each": &each,
	} {
		if err := fromVariable(name, value, variables); err != nil {
			return options{}, err
		}
		flags.Var(value, name, "")
	}
	if err := flags.Parse(arguments); err != nil {
		return options{}, flagError(err)
	}
	targets, err := makeTargets(urls.values, pings.values, addresses.values, files.values, variables)
	if err != nil {
		return options{}, err
	}
	made := options{
		targets: targets,
		limit:   time.Duration(limit),
		first:   time.Duration(first),
		longest: time.Duration(longest),
		timeout: time.Duration(timeout),
		each:    time.Duration(each),
		command: flags.Args(),
	}
	return made, check(made)
}

// fromVariable sets the default of a flag. Times that are set to nothing stay as they are.
func fromVariable(name string, value flag.Value, variables map[string]string) error {
	variable := "AWAIT_" + strings.ToUpper(name)
	text, found := variables[variable]
	several, repeated := value.(*list)
	if repeated {
		several.values = strings.Fields(text)
		return nil
	}
	if !found || strings.TrimSpace(text) == "" {
		return nil
	}
	if err := value.Set(strings.TrimSpace(text)); err != nil {
		return fmt.Errorf("%s is %q: %w", variable, text, err)
	}
	return nil
}

func flagError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return errHelp
	}
	return fmt.Errorf("%w (await --help)", err)
}

func check(o options) error {
	switch {
	case len(o.command) == 0:
		return errors.New("no command: write it behind `--` (await --help)")
	case o.first <= 0 || o.longest <= 0 || o.timeout <= 0:
		return errors.New("--first, --max and --timeout have to be longer than 0")
	}
	return nil
}

func mapping(environment []string) map[string]string {
	variables := make(map[string]string, len(environment))
	for _, one := range environment {
		name, value, _ := strings.Cut(one, "=")
		variables[name] = value
	}
	return variables
}

func makeTargets(urls, pings, addresses, files []string, variables map[string]string) ([]target, error) {
	var targets []target
	for _, text := range urls {
		address, err := httpURL(text)
		if err != nil {
			return nil, err
		}
		targets = append(targets, httpTarget{address})
	}
	for _, name := range pings {
		if variables[name] == "" {
			say("%s is not set: there is no server to wait for", name)
			continue
		}
		address, err := pingURL(variables[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		targets = append(targets, httpTarget{address})
	}
	for _, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("--tcp wants HOST:PORT, not %q", address)
		}
		targets = append(targets, tcpTarget(address))
	}
	for _, path := range files {
		targets = append(targets, fileTarget(path))
	}
	return targets, nil
}

// httpURL reads an address; the error does not repeat it, for it can hold a password.
func httpURL(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return nil, errors.New("a URL is wanted that begins with http:// or https:// and names a host")
	}
	return address, nil
}

var apiVersion = regexp.MustCompile(`/v[0-9][^/]*(/.*)?$`)

// pingURL is where the server behind an API address (http://server:8080/v1) says that it is up: beside the API.
func pingURL(api string) (*url.URL, error) {
	address, err := httpURL(api)
	if err != nil {
		return nil, err
	}
	address.Path = strings.TrimRight(apiVersion.ReplaceAllString(address.Path, ""), "/") + "/ping"
	address.RawPath, address.RawQuery, address.Fragment = "", "", ""
	return address, nil
}
