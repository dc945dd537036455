// Package api serves the HTTP API: everything the command line and the dashboard do.
//
// It owns the routes, their request and response types, and who may call them. It
// holds no rules of its own: what a poll believes or how an event is retried is
// decided in the rooms behind it.
package api

import (
	"encoding/json"
	"time"
)

// Listings are pages: {"items": […], "next": "cursor or empty"}.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Pass it as ?cursor= to get the next page; absent on the last one."`
}

// Provider is one connector of the catalogue.
type Provider struct {
	Name        string               `json:"name" example:"bamboohr"`
	Title       string               `json:"title" example:"BambooHR"`
	Category    string               `json:"category" enum:"hris,ats,unified,generic"`
	RecordTypes []string             `json:"record_types" example:"[\"employees\"]"`
	Verified    string               `json:"verified" doc:"Against what the connector was proven."`
	BaseURL     string               `json:"base_url,omitempty"`
	Credentials []ProviderCredential `json:"credentials,omitempty"`
	Ways        []ProviderWay        `json:"ways,omitempty" doc:"Ways to authenticate, where there are several. An account gives the credentials of exactly one, and those that are in none."`
	Streams     []ProviderStream     `json:"streams,omitempty"`
}

// ProviderCredential is something an account has to give a connector.
type ProviderCredential struct {
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Secret      bool   `json:"secret"`
	Optional    bool   `json:"optional"`
}

// ProviderWay is one of several ways to authenticate.
type ProviderWay struct {
	Name        string   `json:"name" example:"oauth"`
	Title       string   `json:"title" example:"OAuth 2.0"`
	Verified    string   `json:"verified,omitempty"`
	Credentials []string `json:"credentials" doc:"Names of its own credentials."`
}

// ProviderStream is what a connector says of one record type.
type ProviderStream struct {
	RecordType string   `json:"record_type"`
	Events     []string `json:"events"`
	Verified   string   `json:"verified,omitempty"`
	Schedule   string   `json:"schedule,omitempty"`
	Ignore     []string `json:"ignore,omitempty"`
	Sets       []string `json:"sets,omitempty"`
}

// Project is a tenant.
type Project struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// NewProject makes a project. An empty id is generated from the name.
type NewProject struct {
	ID   string `json:"id,omitempty" pattern:"^[A-Za-z0-9][A-Za-z0-9_-]*$" maxLength:"64"`
	Name string `json:"name" minLength:"1" maxLength:"200"`
}

// APIKey opens one project. Key is given once, in the answer to its creation.
type APIKey struct {
	ID        string    `json:"id"`
	ProjectID string    `json:"project_id"`
	Name      string    `json:"name"`
	Prefix    string    `json:"prefix"`
	Key       string    `json:"key,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// NewAPIKey names a key.
type NewAPIKey struct {
	Name string `json:"name" minLength:"1" maxLength:"200"`
}

// Account is one connected provider account. Credentials never leave the database.
type Account struct {
	ID               string            `json:"id"`
	ProjectID        string            `json:"project_id"`
	Provider         string            `json:"provider"`
	BaseURL          string            `json:"base_url,omitempty"`
	OriginOwnerID    string            `json:"origin_owner_id,omitempty"`
	OriginOwnerName  string            `json:"origin_owner_name,omitempty"`
	OriginUsername   string            `json:"origin_username,omitempty"`
	SetupInformation map[string]string `json:"setup_information,omitempty"`
	Schedule         string            `json:"schedule,omitempty"`
	Baseline         string            `json:"baseline" enum:"silent,emit"`
	PageSize         int               `json:"page_size,omitempty"`
	State            string            `json:"state" enum:"active,paused,needs_attention"`
	StateReason      string            `json:"state_reason,omitempty" doc:"Why it needs attention. Of what the provider says, words of a fixed vocabulary are kept, and nothing else."`
	NextCheckAt      *time.Time        `json:"next_check_at,omitempty" doc:"When the provider is asked again whether the account still needs attention."`
	BlockedUntil     *time.Time        `json:"blocked_until,omitempty" doc:"The provider asked for silence until then."`
	RecordTypes      []string          `json:"record_types"`
	CreatedAt        time.Time         `json:"created_at"`
	UpdatedAt        time.Time         `json:"updated_at"`
	Check            []Finding         `json:"check,omitempty" doc:"What the provider has just answered, by record type: when the account is made, or gets other credentials or another base URL."`
}

// Finding is what a provider answers to one small request for a record type.
type Finding struct {
	RecordType string `json:"record_type"`
	Result     string `json:"result" enum:"ok,refused,unreachable,throttled,protocol"`
	Fault      string `json:"fault,omitempty" enum:"credentials,scope,plan,list,host,tls,address,redirect,not_the_provider" doc:"What has to be mended, where that is clear."`
	Detail     string `json:"detail,omitempty" doc:"What is wrong, and what to do."`
}

// AccountCheck is the outcome of a check of an account.
type AccountCheck struct {
	AccountID string    `json:"account_id"`
	OK        bool      `json:"ok" doc:"Every record type can be read."`
	State     string    `json:"state" enum:"active,paused,needs_attention" doc:"Of the account, after the check."`
	Results   []Finding `json:"results" doc:"By record type."`
}

// NewAccount connects a provider account.
type NewAccount struct {
	Provider         string            `json:"provider" minLength:"1"`
	BaseURL          string            `json:"base_url,omitempty" doc:"Instead of the connector's own."`
	Credentials      map[string]string `json:"credentials,omitempty"`
	OriginOwnerID    string            `json:"origin_owner_id,omitempty"`
	OriginOwnerName  string            `json:"origin_owner_name,omitempty"`
	OriginUsername   string            `json:"origin_username,omitempty"`
	SetupInformation map[string]string `json:"setup_information,omitempty" doc:"Added to what the connector shows of its own (never a credential)."`
	RecordTypes      []string          `json:"record_types,omitempty" doc:"Streams to poll; default: all that the connector serves."`
	Schedule         string            `json:"schedule,omitempty" example:"15m" doc:"Interval or cron expression (UTC) for all streams of the account."`
	Baseline         string            `json:"baseline,omitempty" enum:"silent,emit" doc:"What the first listing does: silent (default) or created for every record."`
	PageSize         int               `json:"page_size,omitempty" minimum:"0"`
}

// AccountUpdate changes what is present; of the credentials, too.
type AccountUpdate struct {
	BaseURL          *string           `json:"base_url,omitempty"`
	Credentials      map[string]string `json:"credentials,omitempty"`
	OriginOwnerID    *string           `json:"origin_owner_id,omitempty"`
	OriginOwnerName  *string           `json:"origin_owner_name,omitempty"`
	OriginUsername   *string           `json:"origin_username,omitempty"`
	SetupInformation map[string]string `json:"setup_information,omitempty"`
	Schedule         *string           `json:"schedule,omitempty"`
	Baseline         *string           `json:"baseline,omitempty"`
	PageSize         *int              `json:"page_size,omitempty" minimum:"0"`
}

// KeyRotation is the answer to a rotation of a project's hash key.
type KeyRotation struct {
	StreamsFollowing int `json:"streams_following" doc:"Streams whose fingerprints are still of a former key. It is forgotten with the last one."`
}

// Stream is one account × one record type.
type Stream struct {
	AccountID           string      `json:"account_id"`
	RecordType          string      `json:"record_type"`
	Provider            string      `json:"provider"`
	State               string      `json:"state" enum:"ok,paused,failing,needs_attention,quarantined,new"`
	Schedule            string      `json:"schedule" doc:"The one in force."`
	ScheduleFrom        string      `json:"schedule_from" enum:"stream,account,record_type,provider,default"`
	IncrementalSchedule string      `json:"incremental_schedule,omitempty" doc:"Of polls between the complete listings, which ask for what changed since. Absent: there are none."`
	Baseline            string      `json:"baseline" enum:"silent,emit"`
	IgnorePaths         []string    `json:"ignore_paths"`
	ChangedFields       bool        `json:"changed_fields" doc:"Digests of the records' fields are kept, and events name those that changed."`
	DigestPaths         []string    `json:"digest_paths" doc:"Fields below the records' own, beside the connector's."`
	QuarantineThreshold int         `json:"quarantine_threshold" doc:"Percent: more of the records missing in one poll (and more than ten) are held."`
	ReleaseAfter        int         `json:"release_after" doc:"So many listings that miss the very same records decide a quarantine; 0: only a person does."`
	NextPollAt          *time.Time  `json:"next_poll_at,omitempty"`
	LastPollAt          *time.Time  `json:"last_poll_at,omitempty"`
	LastCompleteAt      *time.Time  `json:"last_complete_at,omitempty"`
	LastChangeAt        *time.Time  `json:"last_change_at,omitempty"`
	LastDurationMS      int64       `json:"last_duration_ms"`
	LastError           string      `json:"last_error,omitempty"`
	Failures            int         `json:"failures" doc:"In a row."`
	Polls               int64       `json:"polls"`
	Records             int64       `json:"records" doc:"In the last complete listing."`
	Suspected           int         `json:"suspected" doc:"Missing once; deleted when missing again."`
	Hidden              int         `json:"hidden" doc:"Missing from the listings, but there when asked for one by one: kept as they are known."`
	HiddenSample        []string    `json:"hidden_sample,omitempty" doc:"Some of their record ids."`
	Quarantine          *Quarantine `json:"quarantine,omitempty"`
	Polling             bool        `json:"polling" doc:"A poll is under way."`
	Progress            *Progress   `json:"progress,omitempty" doc:"Of a complete listing that is under way, or was interrupted. Of one that another process makes, it is some seconds old. Absent: there is none."`
}

// Progress is how far a complete listing is.
type Progress struct {
	Running          bool      `json:"running" doc:"A poll is at it. Else it was interrupted, and the next poll goes on with it."`
	Since            time.Time `json:"since"`
	UpdatedAt        time.Time `json:"updated_at"`
	Pages            int64     `json:"pages"`
	Records          int64     `json:"records"`
	Total            *int64    `json:"total,omitempty" doc:"Records of the whole listing, where the provider tells."`
	Resumed          int       `json:"resumed" doc:"Times it was taken up again."`
	PerSecond        float64   `json:"records_per_second" doc:"Since its beginning."`
	RemainingSeconds *int64    `json:"remaining_seconds,omitempty" doc:"At that rate, where the total is known."`
}

// Quarantine is a change too big to believe, held for a decision.
type Quarantine struct {
	Reason   string    `json:"reason"`
	Missing  int       `json:"missing"`
	Created  int64     `json:"created"`
	Updated  int64     `json:"updated"`
	Fields   []string  `json:"fields" doc:"Of a storm of updates: the fields that changed in most of the records."`
	Polls    int       `json:"polls" doc:"Listings that found the same set."`
	Since    time.Time `json:"since"`
	Sample   []string  `json:"sample" doc:"Some of the record ids that are missing, or updated where none is."`
	Approved bool      `json:"approved"`
}

// StreamUpdate changes what is present; an empty schedule or baseline returns to the
// next in precedence.
type StreamUpdate struct {
	Schedule            *string   `json:"schedule,omitempty" example:"15m"`
	IncrementalSchedule *string   `json:"incremental_schedule,omitempty" example:"5m" doc:"Of polls between the complete listings, which ask for what changed since; refused where the connector has no proven filter. Empty: the record type's, where its schedule is in force; else none."`
	Baseline            *string   `json:"baseline,omitempty" enum:",silent,emit"`
	IgnorePaths         *[]string `json:"ignore_paths,omitempty"`
	ChangedFields       *bool     `json:"changed_fields,omitempty" doc:"Keep digests of the records' fields, and name those that changed."`
	DigestPaths         *[]string `json:"digest_paths,omitempty" doc:"Paths below a record's own fields that are fields of their own; team.* makes one of every member of team."`
	QuarantineThreshold *int      `json:"quarantine_threshold,omitempty" minimum:"1" maximum:"100" doc:"Percent."`
	ReleaseAfter        *int      `json:"release_after,omitempty" minimum:"0" maximum:"1000" doc:"2 or more listings; 0: never."`
	Paused              *bool     `json:"paused,omitempty"`
}

// RecordTypeSchedule is a project's schedule for one record type.
type RecordTypeSchedule struct {
	RecordType          string `json:"record_type"`
	Schedule            string `json:"schedule" doc:"Empty: removed."`
	IncrementalSchedule string `json:"incremental_schedule,omitempty" doc:"Of polls between the complete listings, which ask for what changed since, in the streams whose connectors have a proven filter. Absent: there are none."`
}

// PollResult is the outcome of one poll.
type PollResult struct {
	Complete    bool   `json:"complete" doc:"The listing reached its end."`
	Incremental bool   `json:"incremental" doc:"It asked for changes only, and says nothing about deletions."`
	Pages       int    `json:"pages"`
	Requests    int    `json:"requests"`
	Records     int    `json:"records"`
	Created     int    `json:"created"`
	Updated     int    `json:"updated"`
	Deleted     int    `json:"deleted"`
	Suspected   int    `json:"suspected"`
	Hidden      int    `json:"hidden" doc:"Missing, but there when asked for."`
	Quarantined int    `json:"quarantined"`
	Events      int    `json:"events"`
	DurationMS  int64  `json:"duration_ms"`
	Error       string `json:"error,omitempty"`
}

// Poll is a poll on record.
type Poll struct {
	ID        int64     `json:"id"`
	StartedAt time.Time `json:"started_at"`
	PollResult
	Fields map[string]int `json:"fields,omitempty" doc:"In how many of the updated records each field changed, held ones included."`
}

// VolatileField is a field that seems to change by itself.
type VolatileField struct {
	Path    string          `json:"path" doc:"As ignore_paths takes it; *: fields without a name of their own."`
	Polls   int             `json:"polls" doc:"Polls that found it changed."`
	Of      int             `json:"of" doc:"Polls that were looked at, those that found nothing included."`
	Records int             `json:"records" doc:"In which it changed, in all of these polls together."`
	Most    []FieldEvidence `json:"most" doc:"Polls in which it changed in most of the records, the latest first."`
}

// FieldEvidence is a poll in which a field changed in most of the records.
type FieldEvidence struct {
	PollID    int64     `json:"poll_id"`
	StartedAt time.Time `json:"started_at"`
	Records   int       `json:"records" doc:"In which it changed."`
	Of        int       `json:"of" doc:"In the listing."`
}

// WebhookSettings are how a webhook wants its deliveries. What is absent keeps its value,
// or in a new webhook takes the default; an empty list narrows nothing.
type WebhookSettings struct {
	Concurrency *int      `json:"concurrency,omitempty" minimum:"0" maximum:"256" doc:"Attempts in flight at most; 0 (default): 16."`
	RateLimit   *float64  `json:"rate_limit,omitempty" minimum:"0" maximum:"1000000" doc:"Attempts a second at most; 0 (default): as many as go."`
	Ordered     *bool     `json:"ordered,omitempty" doc:"Default true: an event waits for older ones of its record, also while they are retried."`
	LogAttempts *bool     `json:"log_attempts,omitempty" doc:"Default true: keep each attempt on record."`
	KeepAnswers *bool     `json:"keep_answers,omitempty" doc:"Default false. Keep the first 1024 bytes of each answer with its attempt: only where your endpoint never answers with personal data."`
	Accounts    *[]string `json:"accounts,omitempty" doc:"Only events of these accounts."`
	Providers   *[]string `json:"providers,omitempty" doc:"Only events of accounts of these providers."`
	Fields      *[]string `json:"fields,omitempty" doc:"Of updates, only those in which one of these fields changed, or of which it isn't known what changed. Created and deleted always pass."`
}

// Webhook is a subscriber. Secret is given in the answer to its creation and to a
// rotation, and by GET …/secret to the admin.
type Webhook struct {
	ID        string   `json:"id"`
	ProjectID string   `json:"project_id"`
	URL       string   `json:"url"`
	Events    []string `json:"events"`
	WebhookSettings
	Enabled        bool       `json:"enabled"`
	DisabledReason string     `json:"disabled_reason,omitempty"`
	DisabledAt     *time.Time `json:"disabled_at,omitempty"`
	State          string     `json:"state" enum:"ok,down,disabled"`
	LastError      string     `json:"last_error,omitempty"`
	FailingSince   *time.Time `json:"failing_since,omitempty"`
	ProbeAt        *time.Time `json:"probe_at,omitempty" doc:"Set while down: the next probe; one in the past is the first of those that come every 5 minutes."`
	LastSuccessAt  *time.Time `json:"last_success_at,omitempty"`
	Backlog        int64      `json:"backlog" doc:"Events of the log it has not got past yet."`
	Retrying       int64      `json:"retrying"`
	Dead           int64      `json:"dead"`
	Secret         string     `json:"secret,omitempty"`
	StandardSecret string     `json:"standard_secret,omitempty" doc:"The same secret in the whsec_ form of Standard Webhooks libraries."`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

// NewWebhook registers a subscriber. Events are names (hris_employees.created),
// patterns (hris_employees.*) or *.
type NewWebhook struct {
	URL    string   `json:"url" example:"https://example.com/hooks"`
	Events []string `json:"events" minItems:"1"`
	WebhookSettings
	Secret string `json:"secret,omitempty" doc:"Default: a generated one."`
	From   string `json:"from,omitempty" enum:"now,start" doc:"Where in the log it starts: now (default) or start."`
}

// WebhookUpdate changes what is present.
type WebhookUpdate struct {
	URL    *string   `json:"url,omitempty"`
	Events *[]string `json:"events,omitempty" minItems:"1"`
	WebhookSettings
}

// SecretRotation adds a secret. The old one signs x-stackone-signature until the new
// one is activated; both sign webhook-signature meanwhile.
type SecretRotation struct {
	Secret   string `json:"secret,omitempty" doc:"Default: a generated one."`
	Activate bool   `json:"activate,omitempty" doc:"At once, the old one stays valid for the overlap."`
	Overlap  string `json:"overlap,omitempty" example:"24h" doc:"How long the old one stays valid after activation; default 24h."`
}

// SecretActivation makes the added secret the active one.
type SecretActivation struct {
	Overlap string `json:"overlap,omitempty" example:"24h" doc:"How long the old one stays valid; default 24h."`
}

// WebhookSecret is a secret of a webhook, without its text.
type WebhookSecret struct {
	ID        string     `json:"id"`
	State     string     `json:"state" enum:"waiting,active,retiring"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When a retiring one ends."`
}

// SecretVerification tells what the endpoint did with test events that one secret alone
// has signed.
type SecretVerification struct {
	Verified        bool        `json:"verified" doc:"The consumer knows the secret that waits, and refuses one that nobody knows."`
	AcceptsAnything bool        `json:"accepts_anything" doc:"It accepts any signature: nothing is proved, and anybody can send it events."`
	Waiting         WebhookTest `json:"waiting"`
	Active          WebhookTest `json:"active"`
	Wrong           WebhookTest `json:"wrong"`
}

// WebhookTest is the outcome of a test event.
type WebhookTest struct {
	Delivered  bool   `json:"delivered"`
	Status     int    `json:"status"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
	Answer     string `json:"answer,omitempty" doc:"The first 1024 bytes of what the endpoint answered: told now, and kept nowhere."`
}

// Event is an entry of the log.
type Event struct {
	ID         string          `json:"id" example:"evt_01JD…" doc:"Stable; the webhook-id of its deliveries."`
	Sequence   int64           `json:"sequence" doc:"Its place in the log."`
	ProjectID  string          `json:"project_id"`
	AccountID  string          `json:"account_id"`
	Event      string          `json:"event" example:"hris_employees.updated"`
	RecordType string          `json:"record_type"`
	RecordID   string          `json:"record_id"`
	EventDate  time.Time       `json:"event_date"`
	PollID     int64           `json:"poll_id,omitempty"`
	Fields     []string        `json:"changed_fields,omitempty" doc:"Names, never values; absent where they are not known."`
	Details    json.RawMessage `json:"details,omitempty"`
	Poll       *Poll           `json:"poll,omitempty" doc:"The one that found it, while it is on record; only of a single event."`
	Deliveries []Delivery      `json:"deliveries,omitempty" doc:"Only of a single event."`
}

// Delivery is an event on its way to a webhook.
type Delivery struct {
	WebhookID string     `json:"webhook_id"`
	State     string     `json:"state" enum:"waiting,delivered,retrying,dead"`
	NextAt    *time.Time `json:"next_at,omitempty"`
	Attempts  []Attempt  `json:"attempts"`
}

// Attempt is one POST of a delivery.
type Attempt struct {
	At            time.Time `json:"at"`
	DurationMS    int64     `json:"duration_ms"`
	Status        int       `json:"status"`
	Error         string    `json:"error,omitempty"`
	ResponseBytes int64     `json:"response_bytes"`
	Answer        string    `json:"answer,omitempty" doc:"Its first 1024 bytes, where the webhook keeps answers."`
}

// NewReplay sends events of the log again.
type NewReplay struct {
	WebhookID  string     `json:"webhook_id,omitempty" doc:"Default: every enabled webhook, each what it subscribes to."`
	Since      *time.Time `json:"since,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	EventID    string     `json:"event_id,omitempty"`
	FirstEvent string     `json:"first_event,omitempty" doc:"Id of the event that the slice of the log begins with."`
	LastEvent  string     `json:"last_event,omitempty" doc:"Id of the event that it ends with."`
	Events     []string   `json:"events,omitempty"`
	AccountID  string     `json:"account_id,omitempty"`
	RecordType string     `json:"record_type,omitempty"`
	RecordID   string     `json:"record_id,omitempty"`
	Fields     []string   `json:"fields,omitempty" doc:"Only updates of which it is known that one of these fields changed."`
	Dead       bool       `json:"dead,omitempty" doc:"Only deliveries that were given up."`
	Missed     bool       `json:"missed,omitempty" doc:"Only what the webhook never got: from before its time, not subscribed to then, or given up; and not replayed since, as far as attempts are on record."`
	RateLimit  float64    `json:"rate_limit,omitempty" minimum:"0" maximum:"1000000" doc:"Events a second at most; 0 (default): as many as go."`
	DryRun     bool       `json:"dry_run,omitempty" doc:"Count, send nothing."`
}

// NewResync sends the present state of streams as created events.
type NewResync struct {
	WebhookID  string  `json:"webhook_id" minLength:"1"`
	AccountID  string  `json:"account_id,omitempty" doc:"Default: every account."`
	RecordType string  `json:"record_type,omitempty" doc:"Default: every record type."`
	RateLimit  float64 `json:"rate_limit,omitempty" minimum:"0" maximum:"1000000" doc:"Events a second at most, of each stream; 0 (default): as many as go."`
	DryRun     bool    `json:"dry_run,omitempty" doc:"Count, send nothing."`
}

// NewReconciliation begins one: ids are handed in next.
type NewReconciliation struct {
	WebhookID  string  `json:"webhook_id" minLength:"1"`
	AccountID  string  `json:"account_id" minLength:"1"`
	RecordType string  `json:"record_type" minLength:"1"`
	RateLimit  float64 `json:"rate_limit,omitempty" minimum:"0" maximum:"1000000" doc:"Events a second at most; 0 (default): as many as go."`
}

// HandedIDs is how many ids a request has handed in.
type HandedIDs struct {
	IDs int64 `json:"ids"`
}

// ReconciliationStart compares, and sends what differs.
type ReconciliationStart struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Compare and count, send nothing; more ids may be handed in after it."`
}

// Reconciliation is what the comparison found.
type Reconciliation struct {
	Replay
	Created int64 `json:"created" doc:"Records that the consumer lacks."`
	Deleted int64 `json:"deleted" doc:"Ids of the consumer that are gone."`
}

// ReplayResult says what a replay covers.
type ReplayResult struct {
	Events  int64    `json:"events" doc:"Deliveries that will be made, over all webhooks."`
	DryRun  bool     `json:"dry_run,omitempty"`
	Replays []Replay `json:"replays"`
}

// Replay is a cursor over a range of the log, or over the records of a stream.
type Replay struct {
	ID         string     `json:"id,omitempty"`
	Kind       string     `json:"kind" enum:"replay,resync,reconcile"`
	WebhookID  string     `json:"webhook_id"`
	AccountID  string     `json:"account_id,omitempty" doc:"Of a resync or reconciliation."`
	RecordType string     `json:"record_type,omitempty"`
	Events     int64      `json:"events"`
	Sent       int64      `json:"sent"`
	RateLimit  float64    `json:"rate_limit,omitempty"`
	State      string     `json:"state" enum:"dry_run,collecting,running,done,cancelled"`
	CreatedAt  *time.Time `json:"created_at,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// Change is an entry of the audit log. It names what was changed, and holds nothing of
// what was sent.
type Change struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor" doc:"The admin key, or an API key by its name and first characters."`
	Via    string    `json:"via" enum:"api,dashboard"`
	Action string    `json:"action" example:"webhook enable"`
	Target string    `json:"target" doc:"Ids, as they stand in the path."`
}
