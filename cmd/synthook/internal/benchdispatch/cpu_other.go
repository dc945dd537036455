//go:build !unix

package benchdispatch

import "time"

// cpu is not known where the system has no getrusage.
func cpu() (used time.Duration, known bool) { return 0, false }
