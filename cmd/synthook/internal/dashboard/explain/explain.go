// Package explain says in a sentence what the outcome of an attempt means, and what to do
// about it.
//
// It owns the words alone: what follows from an outcome is decided in dispatch.
package explain

import (
	"net/http"
	"strconv"
	"strings"
)

var classes = map[string]string{
	"redirect":        "It answered with a redirect, which is never followed. Give the webhook the URL that it leads to.",
	"timeout":         "It took too long. Let it answer first and work afterwards.",
	"dns":             "Its host has no address. Is the name right, and known where synthook runs?",
	"connect":         "Nobody takes connections there. Is it running, and can it be reached from where synthook runs?",
	"tls":             "Its certificate is not trusted, or the connection was not agreed upon. Is it valid for this host, with its intermediate certificates?",
	"refused_address": "Its host has an address that is not allowed, such as one of a private network. --allow-network allows one.",
	"cut":             "The connection broke before an answer came. A proxy before it, or the consumer itself, may have crashed.",
	"body":            "The event can't be written as a body. It is not sent again.",
	"expired":         "The event has left the log before it could be delivered.",
}

var statuses = map[int]string{
	http.StatusUnauthorized:          "It wants to know who asks. Does its URL need a token, and does it verify with this webhook's secret?",
	http.StatusForbidden:             "It lets nobody in this way. Does it verify with this webhook's secret, and does a firewall before it let POST through?",
	http.StatusNotFound:              "There is nothing at this URL. Is the path right?",
	http.StatusMethodNotAllowed:      "It takes no POST at this URL. Is the path right?",
	http.StatusGone:                  "It says that it wants nothing any more. A webhook that answers an event so is disabled.",
	http.StatusRequestEntityTooLarge: "It takes no body of this size, though events are small. Look at the limits of the proxy before it.",
	http.StatusTooManyRequests:       "It wants less at once. Give the webhook a rate limit; deliveries wait meanwhile.",
	http.StatusServiceUnavailable:    "It is not there just now. Deliveries wait, and it is probed until it is back.",
}

// Attempt explains an attempt by the status of its answer (0: there was none) and the class
// of what went wrong; "" for a success, and for a class that nobody knows.
func Attempt(status int, class string) string {
	if class != "status" {
		return classes[class]
	}
	if text, ok := statuses[status]; ok {
		return text
	}
	switch {
	case status >= 500:
		return "It failed by itself: its own log says why. Deliveries wait, and it is probed until it is back."
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return "It was not ready for it. Deliveries wait, and it is probed until it takes them."
	case status >= 400:
		return "It refused this event. It is sent again on the schedule of retries while others go on, and given up after three days."
	}
	return "An answer that is neither a success nor a known failure."
}

// Last explains the last error of a delivery or a webhook: a class, or "status 401".
func Last(err string) string {
	if status, ok := strings.CutPrefix(err, "status "); ok {
		n, _ := strconv.Atoi(status)
		return Attempt(n, "status")
	}
	return Attempt(0, err)
}

// Said is a last error as the end of a sentence: answered 401.
func Said(err string) string {
	if err == "" {
		return "failed"
	}
	if status, ok := strings.CutPrefix(err, "status "); ok {
		return "answered " + status
	}
	return "failed (" + strings.ReplaceAll(err, "_", " ") + ")"
}
