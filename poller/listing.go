package poller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/synthook/synthook/diff"
	"github.com/synthook/synthook/hashstore"
	"github.com/synthook/synthook/providers"
)

// plan is how a claimed stream is read and what its fingerprints are made with.
type plan struct {
	info      providers.StreamInfo
	client    lister
	canonical *diff.Canonicalizer
	former    *diff.Canonicalizer // what is known was hashed by it, and can be again; nil: by canonical
	seal      *diff.Sealer
	recipe    recipe
	schedule  Schedule

	fields, formerFields *fieldReader // beside canonical and former; nil: no digests of fields are made
}

// plan opens what is sealed and brings connector, account and stream together. Its
// errors stay until somebody changes one of them.
func (p *Poller) plan(c *claim) (*plan, error) {
	connector, err := p.Catalog.Connector(c.account.provider)
	if err != nil {
		return nil, fmt.Errorf("find connector: %w", err)
	}
	key, err := p.Sealer.Open(c.account.hashKey, hashKeyPurpose(c.account.projectID))
	if err != nil {
		return nil, fmt.Errorf("open the project's hash key: %w", err)
	}
	credentials, err := openCredentials(p.Sealer, c.account.id, c.account.credentials)
	if err != nil {
		return nil, err
	}
	target := providers.Target{BaseURL: c.account.baseURL, Credentials: credentials, PageSize: c.account.pageSize}
	client, err := p.open(connector, target, providers.Options{HTTP: p.HTTP, UserAgent: p.UserAgent, Budget: p.budget(c, connector), Tokens: p.tokens(c.account.id)})
	if err != nil {
		return nil, fmt.Errorf("open connector: %w", err)
	}
	info, ok := client.Stream(c.recordType)
	if !ok {
		return nil, fmt.Errorf("connector %s does not serve %s to this account", connector.Name, c.recordType)
	}
	rules := rulesOf(info, c.ignore)
	canonical, err := diff.NewCanonicalizer(rules)
	if err != nil {
		return nil, fmt.Errorf("read the stream's rules: %w", err)
	}
	seal, err := diff.NewSealer(key, c.key())
	if err != nil {
		return nil, err
	}
	schedule, _ := p.schedules.inForce(c.levels.stream, c.levels.account, c.levels.recordType, info.Schedule)
	pl := &plan{
		info: info, client: client, canonical: canonical, seal: seal, schedule: schedule,
		recipe: recipeOf(info, rules, key),
	}
	if c.changedFields {
		pl.recipe = pl.recipe.withFields(info.Digests, c.digestPaths)
	}
	return pl, nil
}

func rulesOf(info providers.StreamInfo, ignore []string) diff.Rules {
	return diff.Rules{
		Ignore:         slices.Concat(info.Ignore, ignore),
		Sets:           info.Sets,
		KeepURLQueries: info.KeepURLQueries,
	}
}

// walk is what reading a stream cost and gave.
type walk struct {
	listing  *hashstore.Listing
	former   *hashstore.Listing // the same records by the former recipe; nil: there is none
	pages    int                // of the last listing
	capacity int                // records that one of its pages can hold; 0: not known
	requests int                // of all listings
	bytes    int64
}

// list reads the whole stream. What it returns without an error is complete. With
// union, a listing of several pages that records can slip between is read twice at
// once: nothing that was there all along is missing from both taken together.
func (pl *plan) list(ctx context.Context, recordType string, union bool) (*walk, error) {
	w := &walk{}
	if err := pl.walk(ctx, recordType, w); err != nil {
		return w, err
	}
	if union && pl.info.Positional && w.pages > 1 {
		first := w.listing
		if err := pl.walk(ctx, recordType, w); err != nil {
			return w, err
		}
		w.listing.Union(first)
	}
	return w, pl.nameFields(w)
}

// walk reads a listing into w. Of a record only its id, its fingerprint and the digests
// of its fields outlive the page.
func (pl *plan) walk(ctx context.Context, recordType string, w *walk) error {
	w.listing, w.pages = hashstore.NewListing(), 0
	if pl.former != nil {
		w.former = hashstore.NewListing()
	}
	for page, err := range pl.client.List(ctx, recordType, providers.ListOptions{}) {
		w.requests += page.Requests
		w.bytes += page.Bytes
		if err != nil {
			return err
		}
		w.pages++
		w.capacity = page.Capacity
		for i, record := range page.Records {
			err := pl.add(w.listing, pl.canonical, pl.fields, record)
			if err == nil && pl.former != nil {
				err = pl.add(w.former, pl.former, pl.formerFields, record)
			}
			if err != nil {
				return fmt.Errorf("record %d of page %d: %w", i+1, w.pages, err)
			}
		}
	}
	// A client whose context ended may have stopped between two pages.
	return context.Cause(ctx)
}

func (pl *plan) add(l *hashstore.Listing, canonical *diff.Canonicalizer, fields *fieldReader, record providers.Record) error {
	place := diff.Place(record.ID)
	if fields == nil {
		content, err := canonical.Sum(record.Raw)
		if err == nil {
			l.Add(record.ID, place, pl.seal.Fingerprint(place, content))
		}
		return err
	}
	content, digests, err := fields.Sum(record.Raw, place)
	if err == nil {
		l.AddFields(record.ID, place, pl.seal.Fingerprint(place, content), digests)
	}
	return err
}

// onePage tells whether nothing can have shifted between pages: there was one, and what
// is known would fit on it. A list of several pages that has one all of a sudden was
// rather cut short.
func (w *walk) onePage(known int) bool { return w.pages == 1 && known <= w.capacity }

// comparable is the listing that can be compared with what is known.
func (w *walk) comparable() *hashstore.Listing {
	if w.former != nil {
		return w.former
	}
	return w.listing
}

// persistedBlock is how long a wish for silence must be to be written down: shorter
// ones are over before another process could read them.
const persistedBlock = 2 * time.Second

// budget is what the account may ask of its provider, shared by its polls in this
// process. Silence that the provider asked for holds in every process and across
// restarts: it stands in the account's row.
func (p *Poller) budget(c *claim, connector *providers.Connector) *providers.Budget {
	until := time.Time{}
	if c.account.blockedUntil.Valid {
		until = c.account.blockedUntil.Time.Add(-c.clock)
	}
	p.mu.Lock()
	b := p.budgets[c.account.id]
	if b == nil {
		accountID, provider := c.account.id, c.account.provider
		b = providers.NewBudget(connector.Limits())
		b.BlockUntil(until)
		b.OnBlock = func(until time.Time) {
			p.silenced(provider, until)
			if time.Until(until) < persistedBlock {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := p.block(ctx, accountID, until); err != nil {
				p.Logger.Warn().Err(err).Str("account_id", accountID).Msg("provider's wish for silence not stored")
			}
		}
		p.budgets[accountID] = b
	}
	p.mu.Unlock()
	b.BlockUntil(until) // another process may have been told
	return b
}

// block lets no poll of the account start before a time of this process's clock.
func (p *Poller) block(ctx context.Context, accountID string, until time.Time) error {
	end := p.after("$1")
	if _, err := p.DB.ExecContext(ctx, `UPDATE accounts SET blocked_until = `+end+`
		WHERE id = $2 AND (blocked_until IS NULL OR blocked_until < `+end+`)`, time.Until(until).Microseconds(), accountID); err != nil {
		return fmt.Errorf("block account: %w", err)
	}
	return nil
}
