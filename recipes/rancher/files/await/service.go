package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

// serve runs the service until it ends, and returns its exit code. Meanwhile it does what PID 1 has to do: it passes
// signals on and reaps whatever orphan ends.
func serve(command []string, signals <-chan os.Signal) int {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return refuse(command[0], err)
	}
	adopt()
	terminal := atTerminal()
	attributes := &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		// A process group of its own, so that a signal to ours does not reach it twice.
		Sys: &syscall.SysProcAttr{Setpgid: !terminal},
	}
	service, err := os.StartProcess(path, command, attributes)
	if err != nil {
		return refuse(path, err)
	}
	done := make(chan struct{})
	defer close(done)
	go pass(signals, service.Pid, terminal, done)
	return reap(service.Pid)
}

// reap waits for all children until the service is among them.
func reap(service int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			say("lost sight of the service: %v", err)
			return 1
		case pid != service:
			continue
		case status.Signaled():
			return exitSignalOffset + int(status.Signal())
		case status.Exited():
			return status.ExitStatus()
		}
	}
}

// refuse says why a command cannot be run; exit codes as in shells.
func refuse(command string, err error) int {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		say("there is no command %s", command)
		return exitNoSuchFile
	case errors.Is(err, syscall.ENOEXEC):
		say("%s is for another processor than this machine's, or no program at all", command)
	default:
		say("cannot run %s: %v", command, err)
	}
	return exitCannotRun
}

const prSetChildSubreaper = 36 // linux/prctl.h

// adopt has orphans below the service come to this process also where it is not PID 1, as in a container with the
// host's processes. An old kernel that cannot leaves them to the host's init, which reaps them too.
func adopt() {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0, 0, 0, 0)
}

// atTerminal tells whether a terminal is the standard input.
func atTerminal() bool {
	var settings [64]byte // larger than any architecture's struct termios
	_, _, code := syscall.RawSyscall(
		syscall.SYS_IOCTL, os.Stdin.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&settings)),
	)
	return code == 0
}
