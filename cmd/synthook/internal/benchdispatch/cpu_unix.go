//go:build unix

package benchdispatch

import (
	"syscall"
	"time"
)

// cpu is what this process has used so far, in user and system mode.
func cpu() (used time.Duration, known bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
