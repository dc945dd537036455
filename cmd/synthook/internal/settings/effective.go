package settings

import (
	"fmt"
	"strings"
)

// Effective is a setting as it is in force. Value is redacted where it is secret.
type Effective struct {
	Name     string `json:"name"`
	Variable string `json:"variable"`
	Value    string `json:"value"`
	Source   string `json:"source"` // --flag, VARIABLE or default
}

// Effective lists what Load read, in the table's order.
func (s Settings) Effective() []Effective {
	var list []Effective
	for _, row := range table(&s) {
		if source, ok := s.sources[row.Name]; ok {
			list = append(list, Effective{row.Name, row.Variable(), row.value.show(), source})
		}
	}
	return list
}

// Markdown is the table of settings for the documentation.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | |\n| --- | --- | --- | --- |\n")
	for _, s := range Table() {
		variable, preset := "`"+s.Variable()+"`", "–"
		if s.Secret {
			variable += ", `" + s.Variable() + fileSuffix + "`"
		}
		if s.Default != "" {
			preset = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | %s | %s | %s. Expected: %s |\n", s.Name, variable, preset, s.Help, s.Form)
	}
	return b.String()
}
