package main

import (
	"context"
	"math/rand"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// wait returns when all targets are there (true), when the limit is over, or when a signal asks it to stop; then with
// the exit code.
func wait(o options, signals <-chan os.Signal) (int, bool) {
	if len(o.targets) == 0 {
		return 0, true
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	state := newState(o.targets)
	done := make(chan struct{})
	go func() {
		waitForAll(ctx, o, state)
		close(done)
	}()
	return watch(o, state, signals, done)
}

// watch looks at clock and signals while others wait for the targets.
func watch(o options, state *state, signals <-chan os.Signal, done <-chan struct{}) (int, bool) {
	started := time.Now()
	limit, again := after(o.limit), ticks(o.each)
	for {
		select {
		case <-done:
			say("all there after %s", rounded(time.Since(started)))
			return 0, true
		case <-limit:
			say("gave up after %s; %s", o.limit, state.missing())
			return exitNotReady, false
		case <-again:
			say("%s since the start; %s", rounded(time.Since(started)), state.missing())
		case one := <-signals:
			if number, ends := ending(one); ends {
				say("%s while waiting; %s", one, state.missing())
				return exitSignalOffset + int(number), false
			}
		}
	}
}

// ending tells whether a signal ends the waiting: those that end a program that does nothing about them, and that
// engines and people use to stop one.
func ending(one os.Signal) (syscall.Signal, bool) {
	number, _ := one.(syscall.Signal)
	switch number {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGABRT:
		return number, true
	}
	return number, false
}

func waitForAll(ctx context.Context, o options, state *state) {
	var group sync.WaitGroup
	for index := range o.targets {
		group.Add(1)
		go func(index int) {
			defer group.Done()
			waitForOne(ctx, o, index, state)
		}(index)
	}
	group.Wait()
}

func waitForOne(ctx context.Context, o options, index int, state *state) {
	pause := o.first
	for ctx.Err() == nil {
		reason := try(ctx, o.targets[index], o.timeout)
		state.note(index, reason)
		if reason == "" {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(jittered(pause)):
		}
		pause = min(2*pause, o.longest)
	}
}

func try(ctx context.Context, t target, timeout time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := t.try(ctx); err != nil {
		return err.Error()
	}
	return ""
}

// jittered is between the half and the whole of a pause: all hosts of an environment start at once after a power cut,
// and should not ask at once for ever.
func jittered(pause time.Duration) time.Duration {
	return pause/2 + time.Duration(rand.Int63n(int64(pause/2)+1))
}

// state is what is known of each target: "" when it is there, else the reason why not.
type state struct {
	mutex   sync.Mutex
	targets []target
	reasons []string
}

func newState(targets []target) *state {
	reasons := make([]string, len(targets))
	for index, one := range targets {
		say("waiting for %s", one)
		reasons[index] = "no answer yet"
	}
	return &state{targets: targets, reasons: reasons}
}

// note keeps the reason, and says it when it is another than before.
func (s *state) note(index int, reason string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.reasons[index] == reason {
		return
	}
	s.reasons[index] = reason
	if reason == "" {
		say("%s: there", s.targets[index])
	} else {
		say("%s: %s", s.targets[index], reason)
	}
}

// missing words what is not there yet.
func (s *state) missing() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var texts []string
	for index, reason := range s.reasons {
		if reason != "" {
			texts = append(texts, s.targets[index].String()+" ("+reason+")")
		}
	}
	return "missing: " + strings.Join(texts, ", ")
}

// after is time.After, but 0 is never.
func after(limit time.Duration) <-chan time.Time {
	if limit <= 0 {
		return nil
	}
	return time.After(limit)
}

// ticks is time.Tick, but 0 is never.
func ticks(each time.Duration) <-chan time.Time {
	if each <= 0 {
		return nil
	}
	return time.Tick(each)
}

func rounded(passed time.Duration) time.Duration {
	if passed > 10*time.Second {
		return passed.Round(time.Second)
	}
	return passed.Round(10 * time.Millisecond)
}
