package benchdispatch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/synthook/synthook/cmd/synthook/internal/eventlog"
	"github.com/synthook/synthook/dispatch"
)

// signed is a request as the dispatcher makes it.
type signed struct {
	url    string
	header http.Header
	body   []byte
}

// post is the floor: everything is signed before it begins.
func post(ctx context.Context, o order) (follow, error) {
	requests := make([]signed, o.Events)
	now := time.Now()
	for i := range requests {
		webhook := i / block(o.Events, len(o.Names)) % len(o.Names)
		e := event(o, i, block(o.Events, len(o.Names)), now)
		e.UID = fmt.Sprintf("evt_%026d", i) // as long as the log's
		converted, err := eventlog.Convert(e)
		if err != nil {
			return nil, err
		}
		body, err := dispatch.Body(converted, now)
		if err != nil {
			return nil, fmt.Errorf("write body: %w", err)
		}
		secret := o.Secrets[webhook]
		requests[i] = signed{webhookURL(o.URL, webhook), http.Header{
			"Content-Type":         {"application/json"},
			"User-Agent":           {"synthook/bench"},
			"x-stackone-signature": {dispatch.Sign(secret, body)},
			"webhook-id":           {e.UID},
			"webhook-timestamp":    {strconv.FormatInt(now.Unix(), 10)},
			"webhook-signature":    {dispatch.StandardSignature([]string{secret}, e.UID, now.Unix(), body)},
		}, body}
	}
	return func(context.Context, order) (answer, error) {
		before, known := cpu()
		if err := postAll(ctx, requests, o.Concurrency); err != nil {
			return answer{}, err
		}
		after, _ := cpu()
		return answer{CPU: after - before, CPUUnknown: !known}, nil
	}, nil
}

func postAll(ctx context.Context, requests []signed, concurrency int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range concurrency {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				if err := requests[i].send(ctx, client); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func (s signed) send(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(s.body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header = s.header
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if err == nil && response.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("the receiver answered %d", response.StatusCode)
	}
	return err
}
