package providers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synthook/synthook/providers"
	"github.com/synthook/synthook/providers/emulator"
)

// trial is one connector's list, in one of its ways to authenticate, against its provider's files.
type trial struct {
	connector  *providers.Connector
	way        providers.Way
	dialect    *emulator.Dialect
	recordType string
	list       emulator.List
}

// provider makes an emulation, and a client of it.
func (c trial) provider(t *testing.T, alter func(r *http.Request, n int, a *emulator.Answer)) (*emulator.Provider, *providers.Client) {
	t.Helper()
	p := &emulator.Provider{Dir: "testdata/fixtures/" + c.connector.Name, Host: strings.TrimPrefix(testHost, "http://"), Alter: alter}
	client, err := c.connector.Open(providers.Target{BaseURL: testHost, Credentials: invented(c.connector, c.way)}, providers.Options{HTTP: &http.Client{Transport: p}})
	if err != nil {
		t.Fatal(err)
	}
	return p, client
}

// data is an Alter for what isn't about tokens: those are asked for elsewhere, or by name.
func (c trial) data(alter func(r *http.Request, n int, a *emulator.Answer)) func(r *http.Request, n int, a *emulator.Answer) {
	seen := 0
	return func(r *http.Request, _ int, a *emulator.Answer) {
		grant := func(path string) bool { return strings.HasSuffix(r.URL.Path, path) }
		if r.URL.Host != strings.TrimPrefix(testHost, "http://") || slices.ContainsFunc(c.dialect.Grants(c.way.Name), grant) {
			return
		}
		seen++
		alter(r, seen, a)
	}
}

// conformance is what every connector's every list has to do.
var conformance = map[string]func(t *testing.T, c trial){
	"ends, with ids that stay and are unique": func(t *testing.T, c trial) {
		_, client := c.provider(t, nil)
		first, again := list(t.Context(), client, c.recordType), list(t.Context(), client, c.recordType)
		if first.err != nil || again.err != nil || len(first.ids) == 0 {
			t.Fatalf("%v, %v, %v", first.ids, first.err, again.err)
		}
		slices.Sort(first.ids)
		slices.Sort(again.ids)
		if !slices.Equal(first.ids, again.ids) || len(slices.Compact(slices.Clone(first.ids))) != len(first.ids) {
			t.Errorf("listed %v, then %v", first.ids, again.ids)
		}
	},
	"asks nobody but its provider": func(t *testing.T, c trial) {
		outside, named := false, false
		_, client := c.provider(t, func(r *http.Request, _ int, a *emulator.Answer) {
			outside = outside || r.URL.Host == "elsewhere.test"
			named = named || strings.Contains(string(a.Body)+a.Header.Get("Link"), testHost)
			a.Body = []byte(strings.ReplaceAll(string(a.Body), testHost, "http://elsewhere.test"))
			a.Header.Set("Link", strings.ReplaceAll(a.Header.Get("Link"), testHost, "http://elsewhere.test"))
		})
		got := list(t.Context(), client, c.recordType)
		if outside {
			t.Error("another host was asked")
		}
		if kind := c.list.Kind(); got.err == nil && named && got.pages > 1 && (kind == "url" || kind == "link") {
			t.Error("pages of another host were followed")
		}
	},
	"ends with its context": func(t *testing.T, c trial) {
		ctx, cancel := context.WithCancel(t.Context())
		_, client := c.provider(t, c.data(func(*http.Request, int, *emulator.Answer) { cancel() }))
		if got := list(ctx, client, c.recordType); !errors.Is(got.err, context.Canceled) {
			t.Errorf("%v", got.err)
		}
	},
	"never insists on refused credentials": func(t *testing.T, c trial) {
		for _, status := range []int{401, 403} {
			if class := c.class(strconv.Itoa(status)); class != "" {
				continue // the provider means something else by it
			}
			asked := 0
			_, client := c.provider(t, c.data(func(_ *http.Request, _ int, a *emulator.Answer) {
				asked++
				*a = emulator.Answer{Status: status, Header: http.Header{}}
			}))
			got := list(t.Context(), client, c.recordType)
			wantKind(t, got.err, providers.Auth, strconv.Itoa(status))
			if most := 1 + len(c.dialect.Grants(c.way.Name)); asked > most {
				t.Errorf("asked %d times with credentials that a %d refused", asked, status)
			}
		}
	},
	"is probed with one request": func(t *testing.T, c trial) {
		asked := 0
		_, client := c.provider(t, c.data(func(*http.Request, int, *emulator.Answer) { asked++ }))
		if err := client.Probe(t.Context(), c.recordType); err != nil || asked != 1 {
			t.Errorf("%v after %d requests", err, asked)
		}
	},
	"waits when it is told to": func(t *testing.T, c trial) {
		words := append([]string{"429"}, c.dialect.Errors.Throttle...)
		headers := append([]string{"Retry-After"}, c.dialect.Limits.Reset...)
		for _, word := range slices.Compact(words) {
			for _, header := range headers {
				begun := time.Now()
				_, client := c.provider(t, c.data(func(_ *http.Request, n int, a *emulator.Answer) {
					if n == 1 {
						c.fail(a, word)
						a.Header.Set(header, "40")
					}
				}))
				got := list(t.Context(), client, c.recordType)
				if took := time.Since(begun); got.err != nil || took < 40*time.Second {
					t.Errorf("%s with %s: 40: %v after %s", word, header, got.err, took)
				}
			}
		}
	},
	"tries again what may pass, and gives up": func(t *testing.T, c trial) {
		for _, word := range append([]string{"500", "cut"}, c.dialect.Errors.Transient...) {
			for _, failures := range []int{1, 1000} {
				_, client := c.provider(t, c.data(func(_ *http.Request, n int, a *emulator.Answer) {
					switch {
					case n > failures:
					case word == "cut":
						a.Body = a.Body[:len(a.Body)/2]
					default:
						c.fail(a, word)
					}
				}))
				got := list(t.Context(), client, c.recordType)
				if failures > 1 {
					wantKind(t, got.err, providers.Transient, "")
				} else if got.err != nil {
					t.Errorf("%s once: %v", word, got.err)
				}
			}
		}
	},
	"knows its provider's errors": func(t *testing.T, c trial) {
		for word, kind := range c.errorKinds() {
			_, client := c.provider(t, c.data(func(_ *http.Request, _ int, a *emulator.Answer) { c.fail(a, word) }))
			wantKind(t, list(t.Context(), client, c.recordType).err, kind, "")
		}
		if c.dialect.Errors.OK == "" {
			return
		}
		_, client := c.provider(t, c.data(func(_ *http.Request, _ int, a *emulator.Answer) { a.Body = []byte("{}") }))
		wantKind(t, list(t.Context(), client, c.recordType).err, providers.Protocol, "an error in a 200")
	},
	"takes no other answer for a list": func(t *testing.T, c trial) {
		for name, body := range map[string]string{"a web page": "<html>Sign in", "nothing": "{}", "a text": `"Ada"`} {
			_, client := c.provider(t, c.data(func(_ *http.Request, _ int, a *emulator.Answer) { a.Body = []byte(body) }))
			if got := list(t.Context(), client, c.recordType); got.err == nil && !(name == "nothing" && c.mayMiss()) {
				t.Errorf("%s is a list of %v", name, got.ids)
			}
		}
	},
	"goes round no circle": func(t *testing.T, c trial) {
		var first *emulator.Answer
		p, client := c.provider(t, c.data(func(_ *http.Request, n int, a *emulator.Answer) {
			if n == 1 {
				first = &emulator.Answer{Status: a.Status, Header: a.Header.Clone(), Body: slices.Clone(a.Body)}
			}
			if c.list.Kind() != "none" && n > 1 {
				*a = emulator.Answer{Status: first.Status, Header: first.Header.Clone(), Body: slices.Clone(first.Body)}
			}
		}))
		got := list(t.Context(), client, c.recordType)
		if asked := len(p.Asked()); asked > 200 {
			t.Errorf("%d requests: %v", asked, got.err)
		}
	},
	"bears an account without records": func(t *testing.T, c trial) {
		ways := c.list.Empties()
		for _, word := range c.dialect.Errors.Empty {
			ways["the word "+word] = func(a *emulator.Answer) { c.fail(a, word) }
		}
		for name, empty := range ways {
			_, client := c.provider(t, c.data(func(_ *http.Request, _ int, a *emulator.Answer) { empty(a) }))
			if got := list(t.Context(), client, c.recordType); got.err != nil || len(got.ids) != 0 || got.pages == 0 {
				t.Errorf("%s: %v in %d pages, %v", name, got.ids, got.pages, got.err)
			}
		}
	},
	"bears an account with one record": func(t *testing.T, c trial) {
		path, body := "", ""
		_, client := c.provider(t, c.data(func(r *http.Request, _ int, a *emulator.Answer) {
			switch whole := string(a.Body); {
			case path == "" && c.list.One(a):
				path, body = r.URL.Path, whole
			case r.URL.Path == path: // later pages and variants
				*a = emulator.Answer{Status: http.StatusOK, Header: http.Header{}, Body: []byte(body)}
				c.list.Behind(a)
			}
		}))
		got := list(t.Context(), client, c.recordType)
		if got.err != nil || len(got.ids) == 0 {
			t.Errorf("%v, %v", got.ids, got.err)
		}
	},
	"isn't deceived by a record that goes meanwhile": func(t *testing.T, c trial) {
		_, whole := c.provider(t, nil)
		all := list(t.Context(), whole, c.recordType)
		dropped := false
		_, client := c.provider(t, c.data(func(_ *http.Request, n int, a *emulator.Answer) {
			if n == 2 && c.list.Kind() != "none" {
				dropped = c.list.Drop(a)
			}
		}))
		got := list(t.Context(), client, c.recordType)
		switch {
		case dropped && c.list.Total() && all.pages == 2 && got.err == nil:
			t.Errorf("the total is not checked: %d of %d records", len(got.ids), len(all.ids))
		case got.err == nil && len(slices.Compact(slices.Sorted(slices.Values(got.ids)))) != len(got.ids):
			t.Errorf("ids came twice: %v", got.ids)
		}
	},
	"confirms what is gone": func(t *testing.T, c trial) {
		info, _ := c.connector.Stream(c.recordType)
		if !info.Confirms {
			return
		}
		_, client := c.provider(t, nil)
		confirmed := 0
		ids := list(t.Context(), client, c.recordType).ids
		for _, id := range ids {
			if there, err := client.Exists(t.Context(), c.recordType, id); err == nil && there {
				confirmed++
			}
		}
		parts := strings.Count(ids[0], ":")
		absent := "no-such-record" + strings.Repeat(":none", parts)
		if there, err := client.Exists(t.Context(), c.recordType, absent); there || err != nil || confirmed == 0 {
			t.Errorf("%d of %d listed records are there; %s: %v, %v", confirmed, len(ids), absent, there, err)
		}
	},
	"asks for what changed": func(t *testing.T, c trial) {
		p, client := c.provider(t, nil)
		info, _ := client.Stream(c.recordType)
		if !info.Since {
			return
		}
		list(t.Context(), client, c.recordType)
		full := p.Asked()
		p, client = c.provider(t, nil)
		for _, err := range client.List(t.Context(), c.recordType, providers.ListOptions{Since: someTime}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if asked := p.Asked(); slices.Equal(full, asked) && !c.dialect.SyncToken(c.recordType) {
			t.Errorf("the same as in a full listing: %v", asked)
		}
	},
}

func (c trial) class(word string) string {
	e := c.dialect.Errors
	for class, words := range map[string]emulator.Words{"auth": e.Auth, "throttle": e.Throttle, "transient": e.Transient, "restart": e.Restart, "absent": e.Absent} {
		if slices.Contains(words, word) {
			return class
		}
	}
	return ""
}

// errorKinds are what the words of the connector mean, where that is an error at once.
func (c trial) errorKinds() map[string]providers.Kind {
	kinds := map[string]providers.Kind{}
	for _, word := range c.dialect.Errors.Auth {
		kinds[word] = providers.Auth
	}
	for _, word := range c.dialect.Errors.Absent {
		kinds[word] = providers.NotFound
	}
	return kinds
}

// fail makes an answer an error: of a status, or in a 200 with a code.
func (c trial) fail(a *emulator.Answer, word string) {
	header := http.Header{"Content-Type": {"application/json"}}
	if status, err := strconv.Atoi(word); err == nil && status >= 400 && status <= 599 {
		*a = emulator.Answer{Status: status, Header: header}
		return
	}
	status := 200
	if c.dialect.Errors.OK == "" {
		status = 422
	}
	*a = emulator.Answer{Status: status, Header: header, Body: c.dialect.Coded(word)}
}

// mayMiss tells whether the connector declares that an answer without records is one.
func (c trial) mayMiss() bool { return c.list.MayMiss() }

// Each connector does what the engine promises, against its provider's files. A new one
// needs nothing but its own.
func TestConformance(t *testing.T) {
	catalog, problems, err := providers.Load("")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for _, c := range catalog.Connectors() {
		if c.Name == "generic" {
			continue // described by its accounts: TestGeneric
		}
		file, err := os.ReadFile("catalog/" + c.Name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		dialect, err := emulator.ReadDialect(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range waysOf(c) {
			for _, recordType := range c.RecordTypes() {
				for name, check := range conformance {
					t.Run(fmt.Sprintf("%s %s %s %s", c.Name, way.Name, recordType, name), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { check(t, trial{c, way, dialect, recordType, dialect.List(recordType)}) })
					})
				}
			}
		}
	}
}
