package settings

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/pflag"
)

// Bind gives a command the flags of a group.
func Bind(flags *pflag.FlagSet, group Group) {
	for _, s := range Table() {
		if s.Group != group {
			continue
		}
		usage := fmt.Sprintf("%s (%s)", s.Help, s.Variable())
		f := flags.VarPF(&flagText{text: s.Default, kind: "string"}, s.Name, "", usage)
		if _, ok := s.value.(boolValue); ok {
			f.Value, f.NoOptDefVal = &flagText{text: s.Default, kind: "bool"}, "true"
		}
		if s.Secret {
			flags.Var(&flagText{kind: "string"}, s.Name+"-file", "File that holds it, instead of --"+s.Name)
		}
	}
}

// flagText keeps a flag's text until Load parses it, so that flags, variables and
// files go one way and their errors read alike.
type flagText struct{ text, kind string }

func (f *flagText) Set(text string) error { f.text = text; return nil }
func (f *flagText) String() string        { return f.text }
func (f *flagText) Type() string          { return f.kind }

// Load reads the settings whose flags the command has: a flag before a variable before
// the default. environ is as of os.Environ. A variable that is empty counts as unset. Its
// error names every problem: what was set where, and what is expected.
func Load(flags *pflag.FlagSet, environ []string) (Settings, error) {
	s := Settings{sources: map[string]string{}}
	variables := map[string]string{}
	for _, pair := range environ {
		if name, text, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) && text != "" {
			variables[name] = text
		}
	}
	rows := table(&s)
	problems := []error{unknown(variables, rows)}
	for _, row := range rows {
		text, source := row.Default, "default"
		if flags.Lookup(row.Name) != nil {
			var err error
			if text, source, err = row.find(flags, variables); err != nil {
				problems = append(problems, err)
				continue
			}
			s.sources[row.Name] = source
		}
		if err := row.value.parse(text); err == nil {
			continue
		}
		if row.Secret {
			problems = append(problems, fmt.Errorf("%s has a value of the wrong form: expected %s", source, row.Form))
		} else {
			problems = append(problems, fmt.Errorf("%s is %q: expected %s", source, text, row.Form))
		}
	}
	return s, errors.Join(problems...)
}

// find returns the text of a setting and where it stood.
func (s Setting) find(flags *pflag.FlagSet, variables map[string]string) (text, source string, err error) {
	flag, fileFlag := flags.Lookup(s.Name), flags.Lookup(s.Name+"-file")
	variable := s.Variable()
	fileVariable := variable + fileSuffix
	byFlag, byFile := flag.Changed, fileFlag != nil && fileFlag.Changed
	switch {
	case byFlag && byFile:
		return "", "", fmt.Errorf("--%s and --%s are both set: give one", s.Name, fileFlag.Name)
	case byFlag:
		return flag.Value.String(), "--" + s.Name, nil
	case byFile:
		return readFile(fileFlag.Value.String(), "--"+fileFlag.Name)
	case s.Secret && variables[variable] != "" && variables[fileVariable] != "":
		return "", "", fmt.Errorf("%s and %s are both set: give one", variable, fileVariable)
	case variables[variable] != "":
		return variables[variable], variable, nil
	case s.Secret && variables[fileVariable] != "":
		return readFile(variables[fileVariable], fileVariable)
	default:
		return s.Default, "default", nil
	}
}

func readFile(path, source string) (string, string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("read the file that %s names: %w", source, err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", "", fmt.Errorf("the file that %s names is empty", source)
	}
	return text, source, nil
}

// elsewhere are variables that other programs have, and ours that does the same.
var elsewhere = map[string]string{"PORT": "LISTEN", "HOST": "LISTEN", "BIND": "LISTEN", "TOKEN": "API_KEY", "DATABASE": "DATABASE_URL", "URL": "SERVER"}

// unknown names the variables that look like settings and are none.
func unknown(variables map[string]string, rows []Setting) error {
	var known []string
	for _, s := range rows {
		known = append(known, s.Variable())
		if s.Secret {
			known = append(known, s.Variable()+fileSuffix)
		}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if slices.Contains(known, name) || foreign(name, variables[name]) {
			continue
		}
		near := slices.MinFunc(known, func(a, b string) int {
			return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
		})
		if other, ok := elsewhere[strings.TrimPrefix(name, prefix)]; ok {
			near = prefix + other
		}
		problems = append(problems, fmt.Errorf("unknown variable %s: did you mean %s?", name, near))
	}
	return errors.Join(problems...)
}

// foreign variables start like ours and are set by others: those of our tests, and
// those that Kubernetes gives every pod beside a Service that is called synthook.
func foreign(name, value string) bool {
	name = strings.TrimPrefix(name, prefix)
	switch {
	case name == "PORT":
		return strings.Contains(value, "://") // tcp://10.0.0.1:8080; a number would be somebody's wish
	case name == "SERVICE_HOST", name == "SERVICE_PORT", strings.HasPrefix(name, "SERVICE_PORT_"):
		return true
	}
	return strings.HasPrefix(name, "TEST_") || strings.HasPrefix(name, "PORT_")
}
