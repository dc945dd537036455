package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/synthook/synthook/poller"
)

// AccountPath is in the path of what belongs to an account.
type AccountPath struct {
	AccountID string `path:"account_id"`
}

// Checking is a request that may be made without asking the provider.
type Checking struct {
	// A text: huma would take a false for none, and put the default in its place.
	Check string `query:"check" enum:"true,false" default:"true" doc:"false: write what is given without asking the provider first."`
}

func (c Checking) skipped() bool { return c.Check == "false" }

func (a *API) accountRoutes() {
	serve(a, route{pattern: "GET /v1/accounts", access: forProject, summary: "List the accounts"},
		func(ctx context.Context, in *Listing) (Page[Account], error) {
			found, err := a.Accounts.List(ctx, projectOf(ctx), in.Cursor, in.Limit+1)
			return pageOf(found, in.Limit, AccountOf, func(v poller.Account) string { return v.ID }), err
		})
	create(a, route{pattern: "POST /v1/accounts", access: forProject, summary: "Connect a provider account", status: http.StatusCreated},
		func(ctx context.Context, in *struct {
			Checking
			Body NewAccount
		}) (Account, error) {
			n := in.Body
			v, err := a.Accounts.Create(ctx, projectOf(ctx), poller.NewAccount{
				Provider: n.Provider, BaseURL: n.BaseURL, Credentials: n.Credentials,
				OriginOwnerID: n.OriginOwnerID, OriginOwnerName: n.OriginOwnerName, OriginUsername: n.OriginUsername,
				SetupInformation: n.SetupInformation, RecordTypes: n.RecordTypes,
				Schedule: n.Schedule, Baseline: n.Baseline, PageSize: n.PageSize, NoCheck: in.skipped(),
			})
			return AccountOf(v), err
		})
	serve(a, route{pattern: "GET /v1/accounts/{account_id}", access: forProject, summary: "Show an account"},
		func(ctx context.Context, in *AccountPath) (Account, error) {
			v, err := a.Accounts.Get(ctx, projectOf(ctx), in.AccountID)
			return AccountOf(v), err
		})
	type change struct {
		AccountPath
		Checking
		Body AccountUpdate
	}
	update(a, route{pattern: "PATCH /v1/accounts/{account_id}", access: forProject, summary: "Change an account: what is present, the rest stays"},
		func(ctx context.Context, in *change) (Account, error) {
			v, err := a.Accounts.Get(ctx, projectOf(ctx), in.AccountID)
			return AccountOf(v), err
		},
		func(ctx context.Context, in *change) (Account, error) {
			v, err := a.Accounts.Update(ctx, projectOf(ctx), in.AccountID, changeOfAccount(in.Body, in.skipped()))
			return AccountOf(v), err
		})
	do(a, route{pattern: "DELETE /v1/accounts/{account_id}", access: forProject, summary: "Delete an account and all that is known of its records"},
		func(ctx context.Context, in *AccountPath) error {
			return a.Accounts.Delete(ctx, projectOf(ctx), in.AccountID)
		})
	serve(a, route{pattern: "POST /v1/accounts/{account_id}/check", access: forProject, quiet: true, summary: "Ask the provider for one small page of each record type"}, a.checkAccount)
	serve(a, route{pattern: "POST /v1/accounts/{account_id}/pause", access: forProject, summary: "Stop polling an account"},
		func(ctx context.Context, in *AccountPath) (Account, error) {
			v, err := a.Accounts.Pause(ctx, projectOf(ctx), in.AccountID)
			return AccountOf(v), err
		})
	serve(a, route{pattern: "POST /v1/accounts/{account_id}/resume", access: forProject, summary: "Poll an account again"},
		func(ctx context.Context, in *AccountPath) (Account, error) {
			v, err := a.Accounts.Resume(ctx, projectOf(ctx), in.AccountID)
			return AccountOf(v), err
		})
}

func changeOfAccount(u AccountUpdate, unchecked bool) poller.AccountUpdate {
	return poller.AccountUpdate{
		BaseURL: u.BaseURL, Credentials: u.Credentials, OriginOwnerID: u.OriginOwnerID, OriginOwnerName: u.OriginOwnerName, OriginUsername: u.OriginUsername,
		SetupInformation: u.SetupInformation, Schedule: u.Schedule, Baseline: u.Baseline, PageSize: u.PageSize, NoCheck: unchecked,
	}
}

func (a *API) checkAccount(ctx context.Context, in *AccountPath) (AccountCheck, error) {
	ctx, end := a.untilClosing(ctx)
	defer end()
	found, err := a.Poller.Check(ctx, projectOf(ctx), in.AccountID)
	if errors.Is(context.Cause(ctx), errClosing) {
		err = errClosing
	}
	if err != nil {
		return AccountCheck{}, err
	}
	v, err := a.Accounts.Get(ctx, projectOf(ctx), in.AccountID)
	shown := AccountCheck{AccountID: v.ID, State: v.State, Results: showFindings(found)}
	shown.OK = !slices.ContainsFunc(found, func(f poller.Finding) bool { return f.Result != poller.CheckOK })
	return shown, err
}

func showFindings(found []poller.Finding) []Finding {
	shown := make([]Finding, 0, len(found))
	for _, f := range found {
		shown = append(shown, Finding{f.RecordType, f.Result, string(f.Fault), f.Detail})
	}
	return shown
}

// AccountOf describes an account.
func AccountOf(v poller.Account) Account {
	return Account{
		ID: v.ID, ProjectID: v.ProjectID, Provider: v.Provider, BaseURL: v.BaseURL,
		OriginOwnerID: v.OriginOwnerID, OriginOwnerName: v.OriginOwnerName, OriginUsername: v.OriginUsername,
		SetupInformation: v.SetupInformation, Schedule: v.Schedule, Baseline: v.Baseline, PageSize: v.PageSize,
		State: v.State, StateReason: v.StateReason, NextCheckAt: optional(v.NextCheckAt), BlockedUntil: optional(v.BlockedUntil), RecordTypes: orEmpty(v.RecordTypes),
		CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt, Check: showFindings(v.Check),
	}
}
