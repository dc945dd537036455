// Command synthook gives webhooks to HR and recruiting systems that have none.
//
// It owns the command line: the commands, their flags, what they print and the exit
// statuses. What a command does is done elsewhere: in the service behind the HTTP API,
// or in the rooms beside it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker for releases.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "synthook:", err)
	}
	os.Exit(exitStatus(err))
}
