package main

import (
	"cmp"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func (a *app) projectCommands() *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the projects",
		Example: "  synthook project list --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printAll(a, list[api.Project](a, cmd, nil, "v1", "projects"), table[api.Project]{
				columns: []string{"ID", "NAME", "CREATED"},
				row:     func(p api.Project) []string { return []string{p.ID, p.Name, moment(p.CreatedAt)} },
			})
		},
	}
	create := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a project",
		Example: "  synthook project create Acme --id acmeinc-27270",
		Args:    arguments("NAME"),
	}
	id := create.Flags().String("id", "", "Its id, which stands in every event; default: made from the name")
	create.RunE = func(cmd *cobra.Command, args []string) error {
		return askAndPrint(a, cmd, post(api.NewProject{ID: *id, Name: args[0]}, "v1", "projects"), func(w io.Writer, p api.Project) {
			field(w, "id", p.ID)
			field(w, "name", p.Name)
			field(w, "created", moment(p.CreatedAt))
		})
	}
	return a.group("project COMMAND", "Projects: tenants (with the admin key)", "", list, create, a.projectRotateKeyCommand())
}

func (a *app) projectRotateKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key PROJECT_ID",
		Short: "Give a project another hash key",
		Long: `Makes a new key for the fingerprints of a project's records. Every stream follows with its
next complete listing, which compares by the old key and keeps by the new one: nothing
is missed, and nothing is told that did not happen. The old key is forgotten when the
last stream has followed.`,
		Example: "  synthook project rotate-key default",
		Args:    arguments("PROJECT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askAndPrint(a, cmd, post(nil, "v1", "projects", args[0], "rotate-key"), func(w io.Writer, r api.KeyRotation) {
				field(w, "streams to follow", strconv.Itoa(r.StreamsFollowing))
			})
		},
	}
}

// project is the one that --project names.
func (a *app) project(cmd *cobra.Command) (string, error) {
	s, err := a.settings(cmd)
	return cmp.Or(s.Project, api.DefaultProject), err
}

func (a *app) apiKeyCommands() *cobra.Command {
	return a.group("api-key COMMAND", "Keys of a project (with the admin key)", "Keys of the project that --project names (default: the project \"default\").",
		a.apiKeyListCommand(), a.apiKeyCreateCommand(), a.apiKeyDeleteCommand())
}

func (a *app) apiKeyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys of a project",
		Example: "  synthook api-key list --project acmeinc-27270",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			project, err := a.project(cmd)
			if err != nil {
				return err
			}
			return printAll(a, list[api.APIKey](a, cmd, nil, "v1", "projects", project, "api-keys"), table[api.APIKey]{
				columns: []string{"ID", "NAME", "PREFIX", "CREATED"},
				row:     func(k api.APIKey) []string { return []string{k.ID, k.Name, k.Prefix, moment(k.CreatedAt)} },
				none:    "no keys yet: synthook api-key create NAME",
			})
		},
	}
}

func (a *app) apiKeyCreateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a key of a project; prints it once",
		Example: "  synthook api-key create deploy --project acmeinc-27270 --json",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			project, err := a.project(cmd)
			if err != nil {
				return err
			}
			return askAndPrint(a, cmd, post(api.NewAPIKey{Name: args[0]}, "v1", "projects", project, "api-keys"), func(w io.Writer, k api.APIKey) {
				field(w, "id", k.ID)
				field(w, "project", k.ProjectID)
				field(w, "name", k.Name)
				field(w, "key (shown once)", k.Key)
			})
		},
	}
}

func (a *app) apiKeyDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete KEY_ID",
		Short:   "Delete a key; whoever uses it is locked out at once",
		Example: "  synthook api-key delete KEY_ID --project acmeinc-27270",
		Args:    arguments("KEY_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			project, err := a.project(cmd)
			if err != nil {
				return err
			}
			return a.remove(cmd, "deleted", "v1", "projects", project, "api-keys", args[0])
		},
	}
}
