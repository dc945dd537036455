package poller

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"
)

// DefaultProject is the id of the project that exists without being made.
const DefaultProject = "default"

// Project is a tenant; its id stands in every payload.
type Project struct {
	ID, Name  string
	CreatedAt time.Time
}

// Projects manages projects. A project's hash key is made with it and never changes.
type Projects struct{ *core }

// NewProjects returns the projects of a database.
func NewProjects(c Config) *Projects { return &Projects{newCore(c)} }

var projectID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Create makes a project. An empty id is made of the name and a random number. The
// error is an *InvalidError for an id that is taken or malformed, or an empty name.
func (p *Projects) Create(ctx context.Context, id, name string) (Project, error) {
	name = strings.TrimSpace(name)
	if err := checkText("name", name, 200); err != nil {
		return Project{}, err
	}
	if name == "" {
		return Project{}, invalid("name", "must not be empty")
	}
	if id == "" {
		n, err := rand.Int(rand.Reader, big.NewInt(90000))
		if err != nil {
			return Project{}, fmt.Errorf("make project id: %w", err)
		}
		id = fmt.Sprintf("%s-%d", slug(name), n.Int64()+10000)
	}
	if !projectID.MatchString(id) {
		return Project{}, invalid("id", "must be up to 64 letters, digits, - and _, beginning with a letter or digit")
	}
	created, err := p.insert(ctx, id, name)
	if err != nil {
		return Project{}, err
	}
	if !created {
		return Project{}, invalid("id", "project %q exists already", id)
	}
	return p.Get(ctx, id)
}

// Ensure returns the project with an id, making it where there is none.
func (p *Projects) Ensure(ctx context.Context, id string) (Project, error) {
	if found, err := p.Get(ctx, id); !errors.Is(err, ErrNotFound) {
		return found, err
	}
	if _, err := p.insert(ctx, id, id); err != nil {
		return Project{}, err
	}
	return p.Get(ctx, id)
}

func (p *Projects) insert(ctx context.Context, id, name string) (created bool, err error) {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	sealed, err := p.Sealer.Seal(key, hashKeyPurpose(id))
	if err != nil {
		return false, fmt.Errorf("seal hash key: %w", err)
	}
	result, err := p.DB.ExecContext(ctx, `INSERT INTO projects (id, name, hash_key, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
		id, name, sealed, time.Now().UTC())
	if err != nil {
		return false, fmt.Errorf("create project: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("create project: %w", err)
	}
	return n > 0, nil
}

// Get returns one project. The error is ErrNotFound where there is none.
func (p *Projects) Get(ctx context.Context, id string) (Project, error) {
	found := Project{ID: id}
	err := p.DB.QueryRowContext(ctx, `SELECT name, created_at FROM projects WHERE id = $1`, id).Scan(&found.Name, &found.CreatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return Project{}, notFound("project")
	}
	if err != nil {
		return Project{}, fmt.Errorf("get project: %w", err)
	}
	return found, nil
}

// List returns up to limit projects by id, those behind the id after.
func (p *Projects) List(ctx context.Context, after string, limit int) ([]Project, error) {
	rows, err := p.DB.QueryContext(ctx, `SELECT id, name, created_at FROM projects WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	defer rows.Close()
	var projects []Project
	for rows.Next() {
		var found Project
		if err := rows.Scan(&found.ID, &found.Name, &found.CreatedAt); err != nil {
			return nil, fmt.Errorf("list projects: %w", err)
		}
		projects = append(projects, found)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	return projects, nil
}

func hashKeyPurpose(projectID string) string { return "project:" + projectID + ":hash_key" }

// keyID names a hash key in recipes without saying anything of it.
func keyID(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("synthook hash key id"))
	return hex.EncodeToString(mac.Sum(nil)[:4])
}

// slug is what of a name may stand in an id.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			b.WriteRune(r)
		}
		if b.Len() == 40 {
			break
		}
	}
	if b.Len() == 0 {
		return "project"
	}
	return b.String()
}
