package main

import (
	"os"
	"os/signal"
	"syscall"
)

const lastSignal = 64

// Signals that are not passed on: two that nobody can catch, those that speak of this process and not of the service
// (a child ended, a pipe broke, the terminal is another's), and one that the Go runtime sends to itself.
var own = map[syscall.Signal]bool{
	syscall.SIGKILL: true,
	syscall.SIGSTOP: true,
	syscall.SIGCHLD: true,
	syscall.SIGPIPE: true,
	syscall.SIGTTIN: true,
	syscall.SIGTTOU: true,
	syscall.SIGURG:  true,
}

// catch starts to collect all signals that can be passed on.
func catch() <-chan os.Signal {
	// Caught and thrown away, not ignored: what is ignored stays so in the service. A log that nobody reads any more
	// is no reason to end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU)
	signals := make(chan os.Signal, lastSignal)
	for number := syscall.Signal(1); number <= lastSignal; number++ {
		if !own[number] {
			signal.Notify(signals, number)
		}
	}
	return signals
}

// pass sends every signal that comes to the service, until `done`. A terminal sends its signals to the service itself,
// which is in the foreground with us.
func pass(signals <-chan os.Signal, process int, terminal bool, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case one := <-signals:
			number, known := one.(syscall.Signal)
			if known && !(terminal && fromTerminal[number]) {
				// The service may have ended just now: then there is nobody to tell.
				_ = syscall.Kill(process, number)
			}
		}
	}
}

var fromTerminal = map[syscall.Signal]bool{
	syscall.SIGINT:   true,
	syscall.SIGQUIT:  true,
	syscall.SIGTSTP:  true,
	syscall.SIGWINCH: true,
}
