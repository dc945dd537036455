package api

import (
	"context"
	"slices"

	"github.com/synthook/synthook/providers"
)

type providerPath struct {
	Name string `path:"name"`
}

func (a *API) providerRoutes() {
	serve(a, route{pattern: "GET /v1/providers", access: forProject, summary: "List the connectors"},
		func(_ context.Context, in *Listing) (Page[Provider], error) {
			connectors := a.Catalog.Connectors()
			for len(connectors) > 0 && connectors[0].Name <= in.Cursor {
				connectors = connectors[1:]
			}
			return pageOf(connectors, in.Limit, ProviderOf, func(c *providers.Connector) string { return c.Name }), nil
		})
	serve(a, route{pattern: "GET /v1/providers/{name}", access: forProject, summary: "Show a connector: its credentials and streams"},
		func(_ context.Context, in *providerPath) (Provider, error) {
			c, err := a.Catalog.Connector(in.Name)
			if err != nil {
				return Provider{}, missing(err.Error())
			}
			return ProviderOf(c), nil
		})
}

// ProviderOf describes a connector of the catalogue.
func ProviderOf(c *providers.Connector) Provider {
	p := Provider{Name: c.Name, Title: c.Title, Category: c.Category, RecordTypes: orEmpty(c.RecordTypes()), Verified: c.Verified, BaseURL: c.BaseURL}
	for _, v := range c.Credentials {
		p.Credentials = append(p.Credentials, ProviderCredential{Name: v.Name, Title: v.Title, Description: v.Description, Secret: v.Secret, Optional: v.Optional, Group: v.Group, Choices: v.Choices})
	}
	for _, w := range c.Ways {
		p.Ways = append(p.Ways, ProviderWay{Name: w.Name, Title: w.Title, Verified: w.Verified, Credentials: orEmpty(w.Credentials)})
	}
	for _, recordType := range c.RecordTypes() {
		info, _ := c.Stream(recordType)
		p.Streams = append(p.Streams, ProviderStream{
			RecordType: recordType, Verified: info.Verified, Schedule: info.Schedule, Ignore: info.Ignore, Sets: info.Sets,
			Events: []string{info.EventPrefix + ".created", info.EventPrefix + ".updated", info.EventPrefix + ".deleted"},
		})
	}
	return p
}

// Common are the credentials that every account gives, whatever its way to authenticate.
func (p Provider) Common() []ProviderCredential {
	var common []ProviderCredential
	for _, c := range p.Credentials {
		if !slices.ContainsFunc(p.Ways, func(w ProviderWay) bool { return slices.Contains(w.Credentials, c.Name) }) {
			common = append(common, c)
		}
	}
	return common
}

// Own are the credentials of one way.
func (p Provider) Own(way ProviderWay) []ProviderCredential {
	var own []ProviderCredential
	for _, c := range p.Credentials {
		if slices.Contains(way.Credentials, c.Name) {
			own = append(own, c)
		}
	}
	return own
}
