package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// target is something to wait for. try says nil when it is there, and else why not, in a few words that stay the same
// as long as the reason does.
type target interface {
	String() string
	try(ctx context.Context) error
}

// httpTarget is there when it answers 2xx and all of the body arrives.
type httpTarget struct{ address *url.URL }

// String leaves out what can be a secret: the password and the query.
func (t httpTarget) String() string {
	shown := *t.address
	shown.RawQuery = ""
	return shown.Redacted()
}

func (t httpTarget) try(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.address.String(), nil)
	if err != nil {
		return errors.New("is no URL that can be asked")
	}
	request.Header.Set("User-Agent", "await")
	answer, err := client.Do(request)
	if err != nil {
		return plain(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("begins to answer, but the rest does not come: %w", plain(err))
	}
	return nil
}

// client follows no redirection: a login page is no sign of readiness. Each try has a connection of its own.
var client = &http.Client{
	Transport:     &http.Transport{Proxy: proxy, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// proxy is what the environment says, but never for a link-local address: no proxy could reach metadata.
func proxy(request *http.Request) (*url.URL, error) {
	if address := net.ParseIP(request.URL.Hostname()); address != nil && address.IsLinkLocalUnicast() {
		return nil, nil
	}
	return http.ProxyFromEnvironment(request)
}

// tcpTarget is there when it takes a connection.
type tcpTarget string

func (t tcpTarget) String() string { return "tcp " + string(t) }

func (t tcpTarget) try(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", string(t))
	if err != nil {
		return plain(err)
	}
	return connection.Close()
}

// fileTarget is there when something of that name is.
type fileTarget string

func (t fileTarget) String() string { return "file " + string(t) }

func (t fileTarget) try(context.Context) error {
	_, err := os.Stat(string(t))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("is not there")
	}
	var detail *os.PathError
	if errors.As(err, &detail) {
		return fmt.Errorf("cannot be looked at: %w", detail.Err)
	}
	return err
}

// plain words an error of the network without addresses and ports, which differ from try to try.
func plain(err error) error {
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &name) && !name.IsTimeout:
		return fmt.Errorf("the name %s is not known", name.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke off")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return errors.New("there is no way to that address")
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}
