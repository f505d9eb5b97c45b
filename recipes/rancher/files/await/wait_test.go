package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func quick(targets ...target) options {
	return options{targets: targets, limit: 5 * time.Second, first: time.Millisecond, longest: 4 * time.Millisecond, timeout: time.Second}
}

func at(t *testing.T, handler http.HandlerFunc) httpTarget {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return httpTarget{address}
}

func TestReasonsOfHTTP(t *testing.T) {
	for says, handler := range map[string]http.HandlerFunc{
		"":                      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") },
		"answers 404 Not Found": http.NotFound,
		"answers 302 Found":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"no answer in time":     func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"begins to answer, but the rest does not come: the connection broke off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
		},
		"begins to answer, but the rest does not come: no answer in time": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"the connection broke off": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, _ := w.(http.Hijacker).Hijack()
			connection.Close()
		},
	} {
		if got := try(context.Background(), at(t, handler), 300*time.Millisecond); got != says {
			t.Errorf("%q, not %q", got, says)
		}
	}
}

func TestReasonsOfOthers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := tcpTarget(listener.Addr().String())
	if got := try(context.Background(), address, time.Second); got != "" {
		t.Errorf("%q", got)
	}
	listener.Close()
	if got := try(context.Background(), address, time.Second); got != "connection refused" {
		t.Errorf("%q", got)
	}
	path := filepath.Join(t.TempDir(), "file")
	if got := try(context.Background(), fileTarget(path), time.Second); got != "is not there" {
		t.Errorf("%q", got)
	}
	os.WriteFile(path, nil, 0o600)
	if got := try(context.Background(), fileTarget(path), time.Second); got != "" {
		t.Errorf("%q", got)
	}
	if got := try(context.Background(), fileTarget(path+"/below"), time.Second); got == "" {
		t.Error("a file is no folder")
	}
}

func TestItWaitsUntilAllAreThere(t *testing.T) {
	asked := 0
	slow := at(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 5 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if code, ready := wait(quick(slow, fileTarget("/")), nil); !ready || code != 0 || asked != 5 {
		t.Errorf("%v %v after %v", code, ready, asked)
	}
}

func TestTheLimit(t *testing.T) {
	o := quick(fileTarget("/nowhere"))
	o.limit = 30 * time.Millisecond
	if code, ready := wait(o, nil); ready || code != exitNotReady {
		t.Errorf("%v %v", code, ready)
	}
}

func TestSignalsEndTheWaiting(t *testing.T) {
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGUSR1
	signals <- syscall.SIGTERM
	if code, ready := wait(quick(fileTarget("/nowhere")), signals); ready || code != 143 {
		t.Errorf("%v %v", code, ready)
	}
}

func TestPausesGrowToTheLongest(t *testing.T) {
	for _, pause := range []time.Duration{1, 2, time.Millisecond, time.Hour} {
		for i := 0; i < 100; i++ {
			if got := jittered(pause); got < pause/2 || got > pause {
				t.Fatalf("%v for %v", got, pause)
			}
		}
	}
}

func TestNoProxyForMetadata(t *testing.T) {
	request, _ := http.NewRequest(http.MethodGet, "http://169.254.169.250/2016-07-29/version", nil)
	if address, err := proxy(request); address != nil || err != nil {
		t.Errorf("%v %v", address, err)
	}
}
