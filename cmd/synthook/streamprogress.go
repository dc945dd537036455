package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
	"github.com/synthook/synthook/cmd/synthook/internal/client"
)

// progressEvery is how often a poll that is waited for is looked at: the service writes
// down how far a long one is every few seconds.
const progressEvery = 10 * time.Second

// askWatching makes a call and runs watch until its answer is there.
func askWatching[T any](a *app, cmd *cobra.Command, c call, watch func(context.Context, *cobra.Command)) (T, error) {
	ctx, end := context.WithCancel(cmd.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(ctx, cmd)
	}()
	answer, err := ask[T](a, cmd, c)
	end()
	<-watched
	return answer, err
}

// pollProgress notes from time to time how far the listing of a stream is. Where it can't
// be asked for, the poll itself will say why.
func (a *app) pollProgress(account, recordType string) func(context.Context, *cobra.Command) {
	return func(ctx context.Context, cmd *cobra.Command) {
		if a.json {
			return
		}
		service, err := a.client(cmd)
		if err != nil {
			return
		}
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			s, err := client.Send[api.Stream](ctx, service, "GET", client.Path("v1", "accounts", account, "streams", recordType), nil)
			if err == nil && s.Progress != nil {
				a.note("%s", describeProgress(*s.Progress))
			}
		}
	}
}
