// await waits until what a service needs is there, then runs the service as its child and does the work of PID 1.
//
//	await --http http://169.254.169.250/2016-07-29/version -- healthcheck --metadata-address 169.254.169.250
//
// What it waits for, and how long, can also be said by the environment (AWAIT_HTTP, AWAIT_LIMIT, ...), so that a
// compose file can change it without a new image.
package main

import (
	"errors"
	"fmt"
	"os"
)

// Exit codes of its own; otherwise it ends with the code of the service, or 128 + the signal that ended that.
const (
	exitUsage        = 2   // flags or variables that make no sense
	exitNotReady     = 75  // EX_TEMPFAIL of sysexits.h: the limit is over; start it again
	exitCannotRun    = 126 // as in shells
	exitNoSuchFile   = 127
	exitSignalOffset = 128
)

func main() {
	os.Exit(run(os.Args[1:], os.Environ()))
}

func run(arguments, environment []string) int {
	options, err := parse(arguments, environment)
	if errors.Is(err, errHelp) {
		fmt.Print(usage)
		return 0
	}
	if err != nil {
		say("%v", err)
		return exitUsage
	}
	// Before anything else: PID 1 gets only the signals that it asks for.
	signals := catch()
	if code, ready := wait(options, signals); !ready {
		return code
	}
	return serve(options.command, signals)
}

// say writes a line for the log. An error of writing is nothing that could be said to anybody.
func say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "await: "+format+"\n", values...)
}
