package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// details says more of a route than its summary, where there is more to say.
var details = map[string]string{
	"GET /healthz": "For a liveness probe: it answers as long as the process does.",
	"GET /readyz":  "For a readiness probe. What does not hold stands in the errors of the answer.",

	"GET /v1/providers":                    "The catalogue: what is built in, and the operator's own connectors.",
	"POST /v1/projects":                    "A project is a tenant; its id stands in every event.",
	"POST /v1/accounts":                    "Credentials are what the connector asks for (`GET /v1/providers/{name}`); they are sealed and never shown again. Before anything is written the provider is asked for one small page of each record type: where it refuses the credentials, isn't there, or no record type can be read, the answer is 422 with a `type` such as `urn:synthook:account:credentials`. A record type that alone is refused stands in `check`, and its stream needs attention. A provider that is down or throttles is no reason against the account. Its streams are polled at once. Sends `account.created`.",
	"PATCH /v1/accounts/{account_id}":      "Credentials that are given take the place of those of their names, an empty one is removed, the others stay (but those of another way to authenticate). They end a need for attention and make all streams due. They, and another base URL, are checked first, as when an account is made. Sends `account.updated`.",
	"POST /v1/accounts/{account_id}/check": "It takes up to 15 seconds and changes nothing, but for a need for attention that is over: then the account, or the stream, is polled again.",
	"DELETE /v1/accounts/{account_id}":     "Its past events stay in the log. Can't be undone. Sends `account.deleted`.",

	"PATCH " + streamRoute:             "An empty schedule or baseline returns to the next in precedence: stream, account, record type, connector, one hour.",
	"POST " + streamRoute + "/poll":    "With `wait` the answer comes when the poll has ended; whoever goes away meanwhile ends the poll.",
	"POST " + streamRoute + "/approve": "The records that are held are deleted with the next complete listing that lacks them, which is made at once.",
	"POST " + streamRoute + "/reject":  "The next listing is judged anew.",
	"POST " + streamRoute + "/doctor":  "Paths and counts are told, and no value. Nothing is stored or sent.",
	"PUT /v1/schedules/{record_type}":  "In force for all streams of the record type that have no schedule of their own and whose account has none.",
	"GET /v1/tune":                     "What is proposed is set with `PUT /v1/schedules/{record_type}`, or with `PATCH` of a stream. The model: docs/tuning.md.",

	"POST /v1/webhooks":                               "The URL is checked now and again whenever it is dialled. The secret is shown in this answer only.",
	"PATCH /v1/webhooks/{webhook_id}":                 "A new URL is tried at once. New events count from where the webhook stands.",
	"POST /v1/webhooks/{webhook_id}/disable":          "It keeps its place in the log: when it is enabled again it gets what it missed.",
	"POST /v1/webhooks/{webhook_id}/test":             "The answer tells how the endpoint answered.",
	"POST /v1/webhooks/{webhook_id}/secrets":          "Until it is activated, both secrets sign `webhook-signature`, and the old one alone `x-stackone-signature`.",
	"GET /v1/events":                                  "Names, ids and dates; never a content.",
	"POST /v1/replays":                                "Nothing is copied: a replay is one more cursor over the log. A replayed event keeps its `webhook-id`.",
	"DELETE /v1/projects/{id}/api-keys/{key_id}":      "Whoever uses it is locked out at once.",
	"POST /v1/webhooks/{webhook_id}/secrets/activate": "The old one stays valid for the overlap.",
}

// refusals are statuses that only some routes answer with.
var refusals = map[string][]int{
	"POST " + streamRoute + "/approve": {http.StatusConflict},
	"POST " + streamRoute + "/reject":  {http.StatusConflict},
	"POST " + streamRoute + "/doctor":  {http.StatusConflict},
	"POST /v1/replays":                 {http.StatusNotFound},
	"POST /v1/resyncs":                 {http.StatusNotFound},
	"POST " + reconciliationsPath:      {http.StatusNotFound},
}

// parameters says what those are that the routes leave unexplained.
var parameters = map[string]string{
	"account_id": "Id of the account.", "record_type": "Record type, such as employees.", "record_id": "The provider's own id of the record.",
	"webhook_id": "Id of the webhook.", "key_id": "Id of the API key.", "name": "Name of the connector.", "id": "Its id.",
}

// topics are the tags of the routes, in the order of the reference.
var topics = []*huma.Tag{
	{Name: "providers", Description: "The catalogue of connectors."},
	{Name: "accounts", Description: "Connected provider accounts of your customers."},
	{Name: "streams", Description: "One account × one record type: the unit of polling."},
	{Name: "schedules", Description: "Intervals of record types, and what they cost and buy."},
	{Name: "webhooks", Description: "Subscribers, and their signing secrets."},
	{Name: "events", Description: "The event log."},
	{Name: "replays", Description: "Sending events of the log again, or the present state of streams."},
	{Name: "projects", Description: "Tenants, and their API keys."},
	{Name: "audit", Description: "Who changed what."},
	{Name: "service", Description: "How the service is."},
}

// topicOf is the tag of a path.
func topicOf(path string) string {
	switch {
	case strings.Contains(path, "/streams"):
		return "streams"
	case path == "/v1/resyncs" || strings.HasPrefix(path, reconciliationsPath):
		return "replays"
	case path == "/v1/tune":
		return "schedules"
	case !strings.HasPrefix(path, "/v1/"):
		return "service"
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	return name
}

// describe completes the document once all routes are there: what holds for many of
// them is written here, once.
func (a *API) describe() {
	document := a.huma.OpenAPI()
	document.Servers = []*huma.Server{{URL: "/", Description: "This service"}}
	document.Tags = slices.Clone(topics)
	for _, schema := range document.Components.Schemas.Map() {
		for _, property := range schema.Properties {
			neverNull(property)
		}
	}
	for path, item := range document.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			op.Tags = []string{topicOf(path)}
			if !slices.ContainsFunc(document.Tags, func(t *huma.Tag) bool { return t.Name == op.Tags[0] }) {
				document.Tags = append(document.Tags, &huma.Tag{Name: op.Tags[0]})
			}
			describeOperation(op)
		}
	}
}

// neverNull says of an array that it may be empty, and not null.
func neverNull(s *huma.Schema) {
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
}

func describeOperation(op *huma.Operation) {
	name := op.Method + " " + op.Path
	var text []string
	if detail := details[name]; detail != "" {
		text = append(text, detail)
	}
	refused := slices.Clone(refusals[name])
	for _, p := range op.Parameters {
		p.Description = cmp.Or(p.Description, parameters[p.Name])
		neverNull(p.Schema)
	}
	switch need, _ := op.Metadata["access"].(access); need {
	case forProject:
		text = append(text, "Needs a key of the project, or the admin key.")
		op.Parameters = append(op.Parameters, header(projectHeader, "The project, where the key is the admin key.", 64))
	case forAdmin:
		text = append(text, "Needs the admin key.")
		op.Parameters = append(op.Parameters, header(projectHeader, "The project.", 64))
	}
	if op.RequestBody != nil {
		refused = append(refused, http.StatusBadRequest, http.StatusRequestEntityTooLarge)
	}
	if creates, _ := op.Metadata["creates"].(bool); creates {
		text = append(text, "Under an "+idempotencyHeader+" it happens once: whoever sends the same request again within a day gets the first answer.")
		op.Parameters = append(op.Parameters, header(idempotencyHeader, "Your own name for this creation, such as a UUID.", longestKey))
		answers(op, replayedHeader, "true: this is the answer of an earlier request.")
	}
	if updates, _ := op.Metadata["updates"].(bool); updates {
		text = append(text, "With If-Match it happens only while the thing has one of these versions, else 412.")
		op.Parameters = append(op.Parameters, header("If-Match", "ETags, as GET gave them; several separated by commas; * for any.", 1024))
	}
	if schema := successSchema(op); slices.Contains([]string{"Account", "Stream", "Webhook"}, schema) {
		answers(op, "ETag", "The version of what can be changed of it; what polls and deliveries do to it does not count.")
	}
	op.Description = strings.Join(text, " ")
	for _, status := range refused {
		if code := strconv.Itoa(status); op.Responses[code] == nil {
			op.Responses[code] = &huma.Response{Description: http.StatusText(status), Content: op.Responses["500"].Content}
		}
	}
}

func header(name, description string, longest int) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: description, Schema: &huma.Schema{Type: "string", MaxLength: &longest}}
}

// success is the answer of an operation that is no refusal.
func success(op *huma.Operation) *huma.Response {
	return op.Responses[strconv.Itoa(op.DefaultStatus)]
}

func successSchema(op *huma.Operation) string {
	r := success(op)
	if r == nil || r.Content["application/json"] == nil {
		return ""
	}
	return r.Content["application/json"].Schema.Ref[strings.LastIndexByte(r.Content["application/json"].Schema.Ref, '/')+1:]
}

// answers documents a header of the answer.
func answers(op *huma.Operation, name, description string) {
	r := success(op)
	if r.Headers == nil {
		r.Headers = map[string]*huma.Param{}
	}
	r.Headers[name] = &huma.Header{Description: description, Schema: &huma.Schema{Type: "string"}}
}
