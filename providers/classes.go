package providers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// The classes of errors that a connector tells apart by status or code.
const (
	classAuth      = "auth"
	classThrottle  = "throttle"
	classTransient = "transient"
	classRestart   = "restart"
	classAbsent    = "absent"
	classEmpty     = "empty"
)

// errorRules are how a connector's answers say that something is wrong.
type errorRules struct {
	ok      condition
	code    []source
	classes map[string]string // status or code → class
}

func (c *compiler) errorRules(f errorsFile) errorRules {
	rules := errorRules{ok: c.condition(f.ok, false), classes: map[string]string{}}
	for _, t := range f.code {
		rules.code = append(rules.code, c.source(t))
	}
	for _, of := range []struct {
		class string
		words []text
	}{{classAuth, f.auth}, {classThrottle, f.throttle}, {classTransient, f.transient}, {classRestart, f.restart}, {classAbsent, f.absent}, {classEmpty, f.empty}} {
		for _, word := range of.words {
			status, err := strconv.Atoi(word.value)
			switch {
			case err != nil && len(rules.code) == 0:
				c.problem(word, "%q is no status: codes need code, where an answer gives them", word.value)
			case err == nil && len(rules.code) == 0 && (status < 400 || status > 599):
				c.problem(word, "a status from 400 to 599 is expected here")
			case of.class == classEmpty && (status == http.StatusNotFound || status == http.StatusGone):
				c.problem(word, "%d for a whole list would hide a wrong address: name a code, or declare records: {empty: not_found}", status)
			case rules.classes[word.value] != "":
				c.problem(word, "%s means %s already", word.value, rules.classes[word.value])
			}
			rules.classes[word.value] = of.class
		}
	}
	return rules
}

// class finds what an answer that is an error means, and the connector's word for it. A
// code tells more than a status.
func (e *errorRules) class(a answer) (class, code string) {
	for _, s := range e.code {
		code, ok, err := s.scalar(a)
		if class := e.classes[code]; err == nil && ok && class != "" {
			return class, code
		}
	}
	status := strconv.Itoa(a.status)
	return e.classes[status], status
}

// classError is the error of an answer with a class, or with a status alone.
func classError(class string, status int, code string, location *url.URL) *Error {
	as := map[string]int{classAuth: 401, classTransient: 500, classAbsent: 404, classEmpty: 404}[class]
	e := statusError(status, location)
	if as != 0 && !slices.Contains([]int{as}, status) {
		e = statusError(as, nil)
		e.Status = status
		e.Detail += ", told by " + code
	}
	e.empty = class == classEmpty
	if class == classRestart {
		e.Detail, e.restart = "the provider doesn't know its own cursor or token any more ("+code+")", true
	}
	return e
}
