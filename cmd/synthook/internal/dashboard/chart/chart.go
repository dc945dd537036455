// Package chart draws small charts as SVG, at the server.
//
// It owns their geometry. Colours come from the stylesheet by class, so that a chart
// follows light and dark; what a chart shows also stands in its label, for who can't see
// it.
package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Bar is one column of a chart: parts from the bottom up, in the order of the classes.
type Bar struct {
	Label string // what stands above it when it is pointed at
	Parts []int64
}

// Bars is a chart of stacked columns.
type Bars struct {
	Label   string   // of the whole, for who can't see it
	Classes []string // of the parts
	Bars    []Bar
	Ticks   []string // words under the columns, evenly spread
}

const barStep = 10 // width of a column and the gap after it

// SVG draws the chart. Its words are beside the drawing, which is stretched.
func (c Bars) SVG() template.HTML {
	var top int64 = 1
	for _, bar := range c.Bars {
		top = max(top, bar.sum())
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="plot"><span class="top" aria-hidden="true">%s</span><svg class="chart" viewBox="0 0 %d 100" preserveAspectRatio="none" role="img" aria-label="%s">`,
		short(top), len(c.Bars)*barStep, template.HTMLEscapeString(c.Label))
	for i, bar := range c.Bars {
		fmt.Fprintf(&b, `<g><title>%s</title><rect class="hit" x="%d" width="%d" height="100"/>`, template.HTMLEscapeString(bar.Label), i*barStep, barStep)
		y := 100.0
		for k, n := range bar.Parts {
			if n == 0 {
				continue
			}
			h := max(float64(n)/float64(top)*99, 1.5)
			y -= h
			fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"/>`, c.Classes[k], i*barStep+1, y, barStep-2, h)
		}
		b.WriteString(`</g>`)
	}
	b.WriteString(`</svg>`)
	if len(c.Ticks) > 0 {
		b.WriteString(`<p class="ticks" aria-hidden="true">`)
		for _, tick := range c.Ticks {
			b.WriteString(`<span>` + template.HTMLEscapeString(tick) + `</span>`)
		}
		b.WriteString(`</p>`)
	}
	b.WriteString(`</div>`)
	return template.HTML(b.String()) // texts are escaped above
}

func (b Bar) sum() (n int64) {
	for _, part := range b.Parts {
		n += part
	}
	return n
}

// short is a number in at most four characters: 940, 12k, 3.4M.
func short(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprint(n)
	case n < 10_000:
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	case n < 1_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%.1fM", float64(n)/1_000_000)
}

// Share is one piece of a strip; one without a name is the room that is left.
type Share struct {
	Class, Name string
	N           int
}

// Strip draws a whole that is made of shares, such as streams by state.
func Strip(shares []Share) template.HTML {
	total, words := 0, []string{}
	for _, s := range shares {
		if total += s.N; s.N > 0 && s.Name != "" {
			words = append(words, fmt.Sprintf("%d %s", s.N, s.Name))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="strip" viewBox="0 0 200 8" preserveAspectRatio="none" role="img" aria-label="%s">`, template.HTMLEscapeString(strings.Join(words, ", ")))
	x := 0.0
	for _, s := range shares {
		if s.N == 0 {
			continue
		}
		w := float64(s.N) / float64(total) * 200
		fmt.Fprintf(&b, `<rect class="%s" x="%.2f" y="0" width="%.2f" height="8"/>`, s.Class, x, w)
		x += w
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// Gauge draws how much of an allowed time has passed: full at ratio 1, and a mark there
// when it is more. class colours it.
func Gauge(ratio float64, class, label string) template.HTML {
	const full = 60.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="gauge" viewBox="0 0 80 8" role="img" aria-label="%[1]s"><title>%[1]s</title><rect class="track" width="80" height="8" rx="4"/>`, template.HTMLEscapeString(label))
	fmt.Fprintf(&b, `<rect class="%s" width="%.1f" height="8" rx="4"/><rect class="mark" x="%.1f" width="1" height="8"/></svg>`, class, min(max(ratio*full, 4), 80), full)
	return template.HTML(b.String())
}
