-- +goose Up

-- What holds for the whole database. One row, written at the first start.
CREATE TABLE installation (
    id             smallint    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    data_key       bytea       NOT NULL, -- what everything else is sealed under; itself sealed under the master key
    admin_key_hash bytea,                -- SHA-256; NULL where the operator sets the admin key
    created_at     timestamptz NOT NULL
);

CREATE TABLE projects (
    id         text        PRIMARY KEY CHECK (id <> ''),
    name       text        NOT NULL,
    hash_key   bytea       NOT NULL, -- sealed: the AES key of the project's fingerprints
    created_at timestamptz NOT NULL
);

-- Hash keys that were rotated out, as long as a stream's fingerprints are still made with them.
CREATE TABLE former_keys (
    project_id text  NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key_id     text  NOT NULL, -- as recipes name it
    hash_key   bytea NOT NULL, -- sealed
    PRIMARY KEY (project_id, key_id)
);

CREATE TABLE api_keys (
    id         text        PRIMARY KEY,
    project_id text        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       text        NOT NULL,
    prefix     text        NOT NULL, -- the first characters, to tell keys apart
    key_hash   bytea       NOT NULL UNIQUE, -- SHA-256 of a 256-bit random key
    created_at timestamptz NOT NULL
);

-- Requests that made something under an Idempotency-Key, for a day.
CREATE TABLE idempotency_keys (
    project_id   text        NOT NULL, -- that the request acted in
    key_hash     bytea       NOT NULL, -- SHA-256
    request_hash bytea       NOT NULL, -- HMAC-SHA256 of the request under the key
    started_at   timestamptz NOT NULL,
    answer       bytea, -- sealed; NULL: under way, or its process died
    PRIMARY KEY (project_id, key_hash)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (started_at);

-- Who changed what, when: one row for each request that changed something, whichever way it came.
CREATE TABLE audit (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id text        NOT NULL,
    at         timestamptz NOT NULL,
    actor      text        NOT NULL, -- the admin key, or an API key by its name and first characters
    via        text        NOT NULL, -- api or dashboard
    action     text        NOT NULL, -- account created, webhook enable, …
    target     text        NOT NULL  -- ids, as they stand in the path; never what was sent
);
CREATE INDEX audit_by_project ON audit (project_id, id);

-- Who is logged in to the dashboard. A session ends with its key.
CREATE TABLE sessions (
    token_hash bytea       PRIMARY KEY, -- SHA-256 of the cookie's 256 random bits
    api_key_id text        REFERENCES api_keys (id) ON DELETE CASCADE, -- NULL: the admin's
    admin_mark bytea, -- proves which admin key it was opened with; NULL: an API key's
    project_id text        NOT NULL REFERENCES projects (id) ON DELETE CASCADE, -- that is looked at
    expires_at timestamptz NOT NULL,
    CHECK ((api_key_id IS NULL) <> (admin_mark IS NULL))
);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- ── poller ──────────────────────────────────────────────────────────────────

CREATE TABLE accounts (
    id                text        PRIMARY KEY,
    project_id        text        NOT NULL REFERENCES projects (id),
    provider          text        NOT NULL,
    base_url          text        NOT NULL DEFAULT '', -- '': the connector's own
    credentials       bytea       NOT NULL,            -- sealed JSON object
    origin_owner_id   text        NOT NULL DEFAULT '',
    origin_owner_name text        NOT NULL DEFAULT '',
    origin_username   text        NOT NULL DEFAULT '',
    setup_information text        NOT NULL DEFAULT '', -- JSON object of strings, never a credential; '': none
    schedule          text        NOT NULL DEFAULT '', -- '': the next in precedence
    baseline          text        NOT NULL DEFAULT 'silent' CHECK (baseline IN ('silent', 'emit')),
    page_size         integer     NOT NULL DEFAULT 0 CHECK (page_size >= 0), -- 0: the connector's own
    state             text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'needs_attention')),
    state_reason      text        NOT NULL DEFAULT '',
    next_check_at     timestamptz, -- of an account that needs attention: when it is asked again whether it still does
    checks            integer     NOT NULL DEFAULT 0, -- in vain, since a poll of it succeeded
    tokens            bytea,                           -- sealed: what the provider gave for the credentials; NULL: nothing yet
    blocked_until     timestamptz, -- the provider asked for silence until then
    quotas            text        NOT NULL DEFAULT '', -- JSON: how far the provider's long quotas are used up; '': not yet
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);
CREATE INDEX accounts_by_project ON accounts (project_id, id);

-- A project's schedule for one record type, between account and provider default in precedence.
CREATE TABLE record_type_schedules (
    project_id  text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    record_type text NOT NULL,
    schedule    text NOT NULL CHECK (schedule <> ''),
    incremental_schedule text NOT NULL DEFAULT '', -- of the streams that can be asked for changes only; '': all listings are complete
    PRIMARY KEY (project_id, record_type)
);

CREATE TABLE streams (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id       text        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    record_type      text        NOT NULL,
    schedule         text        NOT NULL DEFAULT '', -- '': the next in precedence
    incremental_schedule text NOT NULL DEFAULT '', -- for polls that ask for changes only; '': the record type's, where its schedule is in force
    baseline         text        NOT NULL DEFAULT '' CHECK (baseline IN ('', 'silent', 'emit')), -- '': the account's
    ignore_paths     text        NOT NULL DEFAULT '[]', -- JSON array, added to the connector's
    changed_fields   boolean     NOT NULL DEFAULT true, -- digests of fields are kept, and events name those that changed
    digest_paths     text        NOT NULL DEFAULT '[]', -- JSON array: fields below the record's own, added to the connector's
    quarantine_percent integer   NOT NULL DEFAULT 10 CHECK (quarantine_percent BETWEEN 1 AND 100), -- more of the records missing at once are held
    release_after    integer     NOT NULL DEFAULT 0 CHECK (release_after = 0 OR release_after >= 2), -- equal listings that decide a quarantine; 0: only a person does
    paused           boolean     NOT NULL DEFAULT false,
    next_poll_at     timestamptz,            -- NULL: not scheduled
    full_poll_at     timestamptz, -- from then on the next poll is a complete listing; NULL: it is in any case
    since_at         timestamptz, -- what changed since then was not asked for yet; by the provider's clock where it tells
    validators       bytea, -- sealed: what the provider's last answers can be asked to be compared with; NULL: nothing
    lease_owner      text        NOT NULL DEFAULT '',
    lease_until      timestamptz,
    fence            bigint      NOT NULL DEFAULT 0, -- rises with every claim; a commit under an old one is refused
    failures         integer     NOT NULL DEFAULT 0, -- in a row
    refusals         integer     NOT NULL DEFAULT 0, -- in a row: the provider takes the credentials and refuses this list; above 0 the stream needs attention
    last_error       text        NOT NULL DEFAULT '',
    last_poll_at     timestamptz,
    last_complete_at timestamptz,
    last_change_at   timestamptz,
    last_duration_ms bigint      NOT NULL DEFAULT 0,
    polls            bigint      NOT NULL DEFAULT 0,
    requests         bigint      NOT NULL DEFAULT 0, -- of all these polls
    incremental_polls    bigint NOT NULL DEFAULT 0, -- those of them that asked for changes only
    incremental_requests bigint NOT NULL DEFAULT 0,
    complete_ms          bigint NOT NULL DEFAULT 0, -- duration of the last complete listing, and of the last of changes only
    incremental_ms       bigint NOT NULL DEFAULT 0,
    records          bigint      NOT NULL DEFAULT 0, -- in the last complete listing
    UNIQUE (account_id, record_type)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX streams_due ON streams (next_poll_at) WHERE next_poll_at IS NOT NULL;

-- What a stream's poller does not believe yet. Sets are sorted 64-bit places (hashes of record ids), 8 bytes each.
CREATE TABLE doubts (
    stream_id       bigint      PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    suspected       bytea       NOT NULL, -- missing in the last complete listing: deleted when missing again
    quarantined     bytea       NOT NULL, -- missing, but too many to believe: held for a decision
    stormed         bytea       NOT NULL, -- updated in the same fields, but too many to believe: held with it
    approved        boolean     NOT NULL DEFAULT false, -- the quarantined set may be believed by the next poll
    reason          text        NOT NULL DEFAULT '',
    sample          text        NOT NULL DEFAULT '[]', -- JSON array: some of the record ids held
    hidden          bytea       NOT NULL DEFAULT '', -- missing, but there when asked for: place, when asked last and how often, 16 bytes each
    hidden_sample   text        NOT NULL DEFAULT '[]', -- JSON array: some of their record ids
    fields          text        NOT NULL DEFAULT '[]', -- JSON array: those that changed in most of the stormed
    created         bigint      NOT NULL DEFAULT 0, -- held with it
    updated         bigint      NOT NULL DEFAULT 0,
    polls           integer     NOT NULL DEFAULT 0, -- listings that found the same set
    since_at        timestamptz NOT NULL
);

-- Polls worth remembering: those that found, doubted or failed something. An unchanged poll writes only its stream's row.
CREATE TABLE polls (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id   bigint      NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    number      bigint      NOT NULL, -- of the stream's polls, those that found nothing included
    started_at  timestamptz NOT NULL,
    duration_ms bigint      NOT NULL,
    complete    boolean     NOT NULL,
    incremental boolean NOT NULL, -- it asked for changes only
    pages       integer     NOT NULL,
    records     bigint      NOT NULL,
    created     bigint      NOT NULL,
    updated     bigint      NOT NULL,
    deleted     bigint      NOT NULL,
    suspected   bigint      NOT NULL,
    quarantined bigint      NOT NULL,
    events      bigint      NOT NULL,
    error       text        NOT NULL DEFAULT '',
    fields      text        NOT NULL DEFAULT '' -- JSON object: in how many updated records each field changed; '': not known
);
CREATE INDEX polls_by_stream ON polls (stream_id, id);

-- Complete listings under way that take long, and how far they are. Gone when the listing has ended.
CREATE TABLE listings (
    stream_id   bigint  PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    started_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    pages       bigint NOT NULL,
    records     bigint NOT NULL,
    total       bigint NOT NULL, -- as the provider says; -1: it does not
    resumed     integer NOT NULL, -- times it was taken up again
    position    bytea -- sealed: where it can be taken up again; NULL: it can't
);

-- What such a listing has seen up to its position: ids, places and fingerprints, or ids that the provider says are gone.
CREATE TABLE listing_segments (
    stream_id bigint NOT NULL REFERENCES listings (stream_id) ON DELETE CASCADE,
    seq       integer NOT NULL,
    kind      text    NOT NULL CHECK (kind IN ('listing', 'former', 'first', 'gone')),
    segment   bytea NOT NULL,
    PRIMARY KEY (stream_id, seq, kind)
);

-- ── hashstore ───────────────────────────────────────────────────────────────

CREATE TABLE stream_states (
    stream_id  bigint   PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    version    bigint   NOT NULL, -- compare-and-swap
    root       bigint   NOT NULL, -- xxhash64 of the part digests, seeded with records
    records    bigint   NOT NULL CHECK (records >= 0),
    bits       smallint NOT NULL CHECK (bits BETWEEN 0 AND 24), -- 2^bits parts
    recipe     text     NOT NULL, -- JSON: canonical version, rules, mapping, key id; enough to hash by it again
    base_size  bigint   NOT NULL,
    delta_size bigint   NOT NULL,
    delta_runs integer  NOT NULL,
    digests    bytea    NOT NULL, -- 8 bytes a part: wrapping sum of its fingerprints
    fields     text     NOT NULL DEFAULT ''  -- JSON: the layout of the digests of fields, and their names by slot; '': there are none
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stream_states ALTER digests SET STORAGE EXTERNAL;

CREATE TABLE stream_parts (
    stream_id bigint  NOT NULL REFERENCES stream_states (stream_id) ON DELETE CASCADE,
    part      integer NOT NULL,
    entries   bytea   NOT NULL, -- ascending: n × (place 8 bytes, fingerprint 8 bytes)
    ids       bytea   NOT NULL, -- the same order, compact; read only to name deleted records
    fields    bytea, -- the same order: 16-bit digests of the records' fields; read only to name those that changed; NULL: there are none
    PRIMARY KEY (stream_id, part)
) WITH (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stream_parts ALTER entries SET STORAGE EXTERNAL, ALTER ids SET STORAGE EXTERNAL, ALTER fields SET STORAGE EXTERNAL;

CREATE TABLE stream_runs (
    stream_id bigint NOT NULL REFERENCES stream_states (stream_id) ON DELETE CASCADE,
    seq       bigint NOT NULL,
    run       bytea  NOT NULL, -- ascending: m × (place, fingerprint; 0 = deleted), then the ids of the created
    fields    bytea, -- as in stream_parts, in the order of the run
    PRIMARY KEY (stream_id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE stream_runs ALTER run SET STORAGE EXTERNAL, ALTER fields SET STORAGE EXTERNAL;

-- The event log. Ids are handed out in the order of commits (appends are serialised), so a reader's cursor is one number.
-- A row is a chunk: events of one append that differ in nothing but their records. Their ids follow one another up to last_id.
CREATE SEQUENCE event_ids;
CREATE TABLE event_chunks (
    last_id     bigint      PRIMARY KEY,
    size        integer     NOT NULL CHECK (size BETWEEN 1 AND 500), -- events in it
    salt        smallint    NOT NULL, -- random: a part of their uids, with id and time
    project_id  text        NOT NULL,
    account_id  text        NOT NULL,
    provider    text        NOT NULL, -- '': not known
    name        text        NOT NULL, -- hris_employees.updated
    record_type text        NOT NULL,
    occurred_at timestamptz NOT NULL, -- when the changes were detected
    poll_id     bigint,               -- the poll that found them; NULL for account events
    fields      text        NOT NULL DEFAULT '', -- JSON array of the sets of changed field names that occur; '': not known
    details     text        NOT NULL DEFAULT '', -- JSON object: an account event's extra keys; '': none
    events      bytea       NOT NULL  -- the record ids, compact; where there are fields, which set is whose
);
ALTER TABLE event_chunks ALTER events SET STORAGE EXTERNAL;
CREATE INDEX event_chunks_by_project ON event_chunks (project_id, last_id);
CREATE INDEX event_chunks_by_account ON event_chunks (account_id, last_id);

-- ── dispatch ────────────────────────────────────────────────────────────────

CREATE TABLE webhooks (
    id              text        PRIMARY KEY,
    project_id      text        NOT NULL REFERENCES projects (id),
    url             text        NOT NULL,
    events          text        NOT NULL, -- JSON array of event names and patterns
    narrowed        text        NOT NULL DEFAULT '{}', -- JSON object: accounts, providers and changed fields that it takes alone; an absent list narrows nothing
    concurrency     integer     NOT NULL DEFAULT 0 CHECK (concurrency BETWEEN 0 AND 256), -- attempts in flight; 0: the program's default
    rate_limit      double precision NOT NULL DEFAULT 0 CHECK (rate_limit >= 0), -- attempts a second; 0: as many as go
    ordered         boolean     NOT NULL DEFAULT true, -- an event waits for older ones of its record, also while they are retried
    log_attempts    boolean     NOT NULL DEFAULT true,
    keep_answers    boolean     NOT NULL DEFAULT false, -- the beginning of each answer stays with its attempt
    enabled         boolean     NOT NULL DEFAULT true,
    disabled_reason text        NOT NULL DEFAULT '',
    disabled_at     timestamptz, -- when it was disabled last
    notice_at       timestamptz, -- not NULL: the operator is owed a notice that it was disabled; when to send it (again)
    cursor_id       bigint      NOT NULL, -- every event of the log up to it is delivered, in retries, or not for this webhook
    settled         bytea       NOT NULL DEFAULT '', -- events above cursor_id that need nothing any more: ascending, the distance from each to the next as a uvarint
    lease_owner     text        NOT NULL DEFAULT '',
    lease_until     timestamptz,
    fence           bigint      NOT NULL DEFAULT 0,
    failures        integer     NOT NULL DEFAULT 0, -- in a row
    failing_since   timestamptz,
    probe_at        timestamptz, -- not NULL: the endpoint is down; the next probe
    last_success_at timestamptz,
    last_error      text        NOT NULL DEFAULT '', -- class of the last failure
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX webhooks_by_project ON webhooks (project_id, id);

-- What a webhook took of the log, and from where on: tells what it never got.
CREATE TABLE webhook_choices (
    webhook_id text   NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    after_id   bigint NOT NULL, -- of the events above it, up to the next row's
    filter     text   NOT NULL, -- JSON object
    PRIMARY KEY (webhook_id, after_id)
);

CREATE TABLE webhook_secrets (
    id         text        PRIMARY KEY,
    webhook_id text        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    secret     bytea       NOT NULL, -- sealed
    active     boolean     NOT NULL, -- signs x-stackone-signature
    created_at timestamptz NOT NULL,
    expires_at timestamptz  -- NULL: valid until removed
);
CREATE UNIQUE INDEX webhook_secrets_one_active ON webhook_secrets (webhook_id) WHERE active;

-- Deliveries that left their cursor's way: refused on their own, or waiting behind one of the same record that was.
CREATE TABLE retries (
    webhook_id  text        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id    bigint      NOT NULL, -- below 0: one of a resync or reconciliation, which is not in the log
    record_key  bigint      NOT NULL, -- hash of account, record type and record id: order is kept per record
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dead')),
    attempts    integer     NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    last_error  text        NOT NULL DEFAULT '',
    event       text        NOT NULL DEFAULT '', -- JSON object: an event that is not in the log
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX retries_due ON retries (webhook_id, due_at) WHERE state = 'pending';
CREATE INDEX retries_by_record ON retries (webhook_id, record_key, event_id) WHERE state = 'pending';

-- A row for each attempt: no key and no foreign key, which would cost more than the row. Those of a webhook that is deleted go with their age.
CREATE TABLE attempts (
    event_id       bigint      NOT NULL,
    attempted_at   timestamptz NOT NULL,
    response_bytes bigint      NOT NULL DEFAULT 0,
    duration_ms    integer     NOT NULL,
    status         integer     NOT NULL DEFAULT 0, -- HTTP status; 0: no answer
    webhook_id     text        NOT NULL,
    error          text        NOT NULL DEFAULT '', -- class: '', status, timeout, connect, tls, refused_address, redirect, …
    answer         text        NOT NULL DEFAULT '' -- its first KB, where the webhook keeps answers
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX attempts_by_event ON attempts (event_id);
CREATE INDEX attempts_by_age ON attempts USING brin (attempted_at) WITH (pages_per_range = 32, autosummarize = on);

-- A replay is one more cursor over a range of the log; a resync and a reconciliation are cursors over the places of a stream's records.
CREATE TABLE replays (
    id          text        PRIMARY KEY,
    webhook_id  text        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    kind        text        NOT NULL DEFAULT 'replay' CHECK (kind IN ('replay', 'resync', 'reconcile')),
    filter      text        NOT NULL, -- JSON object; of a resync or reconciliation: the stream
    cursor_id   bigint      NOT NULL, -- sent up to here
    until_id    bigint      NOT NULL, -- and ends here
    events      bigint      NOT NULL, -- that matched when it was made
    sent        bigint      NOT NULL DEFAULT 0,
    rate_limit  double precision NOT NULL DEFAULT 0 CHECK (rate_limit >= 0), -- events a second; 0: as many as go
    state       text        NOT NULL DEFAULT 'running' CHECK (state IN ('collecting', 'running', 'done', 'cancelled')),
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX replays_running ON replays (webhook_id) WHERE state = 'running';

-- The ids that a consumer handed in for a reconciliation, by the first 8 bits of their places. They go when it ends.
CREATE TABLE handed_ids (
    replay_id text     NOT NULL REFERENCES replays (id) ON DELETE CASCADE,
    part      smallint NOT NULL CHECK (part BETWEEN 0 AND 255),
    seq       bigint   NOT NULL,
    ids       bytea    NOT NULL, -- each its length as a uvarint and its bytes
    PRIMARY KEY (replay_id, part, seq)
);

-- +goose Down
DROP TABLE handed_ids, replays, attempts, retries, webhook_secrets, webhook_choices, webhooks, event_chunks, stream_runs, stream_parts, stream_states,
    listing_segments, listings, polls, doubts, streams, record_type_schedules, accounts, sessions, audit, idempotency_keys, api_keys, former_keys,
    projects, installation;
DROP SEQUENCE event_ids;
