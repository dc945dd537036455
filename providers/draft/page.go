package draft

import (
	"fmt"
	"slices"
	"strconv"
)

var (
	cursorNames = []string{"cursor", "after", "pagetoken", "pageafter", "nexttoken", "startingafter", "next", "offset"}
	numberNames = []string{"page", "pagenumber"}
	offsetNames = []string{"offset", "skip", "start", "startat"}
	sizeNames   = []string{"limit", "perpage", "pagesize", "pagelimit", "count", "size", "take"}
	sinceNames  = []string{"updatedafter", "updatedsince", "modifiedafter", "modifiedsince", "filterupdatedafter", "updatedat", "changedsince"}
	moreNames   = []string{"hasmore", "more", "moredataavailable", "hasnext", "hasnextpage"}
	totalNames  = []string{"total", "totalcount", "totalrecords", "totalelements", "totalitems"}
	nextNames   = []string{"nextcursor", "nextpagetoken", "nextpage", "next", "nexturl", "nextlink", "cursor", "after", "endcursor", "nexttoken"}
	urlNames    = []string{"nexturl", "nextlink", "nextpageurl"}
)

// asked is what a drafted request says.
type asked struct{ query, body []string }

func (a *asked) add(in input, value string) {
	line := quoted(in.name) + ": " + value
	if in.body {
		a.body = append(a.body, line)
	} else {
		a.query = append(a.query, line)
	}
}

// inputNamed is the first input that has one of some names, the likeliest first.
func inputNamed(inputs []input, names []string, fits func(input) bool) (input, bool) {
	for _, name := range names {
		i := slices.IndexFunc(inputs, func(in input) bool { return squeeze(in.name) == name && (fits == nil || fits(in)) })
		if i >= 0 {
			return inputs[i], true
		}
	}
	return input{}, false
}

// counts tells whether an input is a number: the offset that is one is no cursor.
func counts(in input) bool { return typeOf(in.schema) == "integer" || typeOf(in.schema) == "number" }

// page writes how a list is paged, with what its request needs for it.
func (o *openAPI) page(inputs []input, schema, answer map[string]any) (request asked, page string) {
	more := o.property(schema, moreNames, nil)
	total := o.property(schema, totalNames, nil)
	next := o.property(schema, nextNames, func(s map[string]any) bool { return typeOf(s) != "boolean" && typeOf(s) != "integer" && !isURL(s) })
	address := o.property(schema, append(slices.Clone(urlNames), nextNames...), isURL)
	if found := o.property(schema, urlNames, nil); address == "" && found != "" {
		address = found
	}
	if next == address {
		next = ""
	}
	end := ", end: empty"
	if more != "" {
		end = fmt.Sprintf(", end: %q", more+" is false")
	} else if total != "" {
		end = fmt.Sprintf(", end: total, total: %s", quoted(total))
	}
	told := more != "" || total != ""

	cursor, byCursor := inputNamed(inputs, cursorNames, func(in input) bool { return squeeze(in.name) != "offset" || !counts(in) })
	number, byNumber := inputNamed(inputs, numberNames, nil)
	offset, byOffset := inputNamed(inputs, offsetNames, nil)
	switch {
	case o.at(answer, "headers", "Link") != nil:
		page = "link"
	case byCursor && next != "":
		request.add(cursor, "${page.cursor}")
		page = fmt.Sprintf("cursor, next: %s", quoted(next))
	case address != "" && !(told && (byNumber || byOffset)):
		page = fmt.Sprintf("url, next: %s", quoted(address))
	case byNumber:
		request.add(number, "${page.number}")
		page = "page" + start(number, 1) + end
	case byOffset:
		request.add(offset, "${page.offset}")
		page = "offset" + start(offset, 0) + end
	case next != "":
		page = fmt.Sprintf("url, next: %s", quoted(next))
	default:
		return asked{}, "none # the document names no paging"
	}
	size, note := "", ""
	if in, ok := inputNamed(inputs, sizeNames, nil); ok {
		request.add(in, "${page.size}")
		size, note = ", size: 50", " # the document names no largest size"
		if most, err := strconv.Atoi(fmt.Sprint(in.schema["maximum"])); err == nil && most > 0 && most <= 100_000 {
			size, note = fmt.Sprintf(", size: %d", most), ""
		}
	}
	return request, "{kind: " + page + size + "}" + note
}

// start is the first page or offset, where the document has another one than is usual.
func start(in input, usual int) string {
	first, err := strconv.Atoi(fmt.Sprint(in.schema["default"]))
	if err != nil || first == usual || first < 0 || first > 1 {
		return ""
	}
	return fmt.Sprintf(", start: %d", first)
}

// isURL tells whether the document says that a text is an address.
func isURL(s map[string]any) bool {
	format := words(s, "format")
	return format == "uri" || format == "url" || format == "uri-reference"
}

// since writes the filter for what changed since a time.
func (o *openAPI) since(inputs []input, request *asked) string {
	in, ok := inputNamed(inputs, sinceNames, func(in input) bool { return !in.body })
	if !ok {
		return ""
	}
	request.add(in, "${since}")
	format := ""
	switch {
	case counts(in):
		format = "format: epoch, "
	case words(in.schema, "format") == "date":
		format = "format: date, "
	}
	return "    since: {" + format + "proven: false} # read how " + comment(in.name) + " is written; true when it is known to find every change\n"
}
