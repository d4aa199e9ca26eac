package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

// Find gives the page with this name or alias. Case, spaces, hyphens and underscores do not matter: "via LB", via-lb and VIA_LB are one name.
func Find(name string) (Page, bool) {
	wanted := key(name)
	for _, p := range All() {
		if key(p.Name) == wanted || slices.ContainsFunc(p.Aliases, func(alias string) bool { return key(alias) == wanted }) {
			return p, true
		}
	}
	return Page{}, false
}

// key is what two spellings of a name have in common.
func key(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// Close gives names and aliases that are close to one that has no page, closest first; none where nothing is close.
func Close(name string) []string { return suggest.Close(name, names()) }

// Mistyped gives what Close gives without the names that only begin with this one.
func Mistyped(name string) []string { return suggest.Mistyped(name, names()) }

// Mentioned is true for one word that is, as a whole, in a page.
func Mentioned(word string) bool {
	typed := tokens(word)
	if len(typed) != 1 || len(strings.FieldsFunc(word, notInWord)) != 1 {
		return false
	}
	return slices.ContainsFunc(indexes(), func(x index) bool {
		return slices.ContainsFunc(x, func(f field) bool { return slices.Contains(f.words, typed[0]) })
	})
}

// names are those of every page, with the aliases.
func names() []string {
	var names []string
	for _, p := range All() {
		names = append(append(names, p.Name), p.Aliases...)
	}
	return names
}

// most bounds what Search gives.
const most = 6

// Search finds pages by the words of their names, aliases, titles and texts, best first, at most six. A page is found where most words of the query are in it.
func Search(query string) []Page {
	words := tokens(query)
	if len(words) == 0 {
		return nil
	}
	type hit struct {
		page  Page
		score float64
	}
	pages, indexes := All(), indexes()
	scores := make([][]int, len(pages))
	// in is how many pages a word is in: one that is in few tells more.
	in := make([]int, len(words))
	for i := range pages {
		scores[i] = make([]int, len(words))
		for j, w := range words {
			if scores[i][j] = indexes[i].score(w); scores[i][j] > 0 {
				in[j]++
			}
		}
	}
	var hits []hit
	for i := range pages {
		found, score := 0, 0.0
		for j, s := range scores[i] {
			if s > 0 {
				found++
				score += float64(s) * math.Log(1+float64(len(pages))/float64(in[j]))
			}
		}
		// Two words of two, two of three, three of four: one word alone says too little about a longer question.
		if found*3 >= len(words)*2 {
			hits = append(hits, hit{pages[i], score})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	var out []Page
	for _, h := range hits[:min(len(hits), most)] {
		// What is far behind the best is noise, unless the only word is all there is to go by.
		if len(words) == 1 || h.score*4 >= hits[0].score {
			out = append(out, h.page)
		}
	}
	return out
}

// field is a part of a page with what a word in it counts.
type field struct {
	words  []string
	weight int
}

type index []field

// indexes are those of all pages, in the order of All.
var indexes = sync.OnceValue(func() []index {
	pages := all()
	indexes := make([]index, len(pages))
	for i := range pages {
		indexes[i] = indexOf(&pages[i])
	}
	return indexes
})

func indexOf(p *Page) index {
	var body []string
	for _, f := range p.Facts {
		body = append(body, f.Name, f.Value)
	}
	body = append(body, p.Body...)
	weight := 1
	if p.Group == Rules {
		// A word that a topic explains is in the reasons of many rules.
		weight = 0
	}
	return index{
		{tokens(p.Name), 12 * (weight + 1)},
		{tokens(strings.Join(p.Aliases, " ")), 8},
		{tokens(p.Title), 3 + 3*weight},
		{tokens(strings.Join(body, " ")), 1},
	}
}

// score is what a word of a query counts for the page: the weights of the fields that it is in, the text's up to three times. 0 is a word that is nowhere.
func (x index) score(word string) int {
	total := 0
	for _, f := range x {
		times := 0
		for _, w := range f.words {
			if w == word || len(word) >= 4 && strings.HasPrefix(w, word) {
				times++
			}
		}
		limit := 1
		if f.weight == 1 {
			limit = 3
		}
		total += f.weight * min(times, limit)
	}
	return total
}

// tokens are the words of a text in lower case, without those that every text has. Chinese has no spaces: there, each pair of neighbouring characters is a word.
func tokens(text string) []string {
	var out []string
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), notInWord) {
		for _, part := range byScript(word) {
			runes := []rune(part)
			switch {
			case !unicode.Is(unicode.Han, runes[0]):
				if len(part) > 1 && !slices.Contains(common, part) {
					out = append(out, singular(part))
				}
			case len(runes) == 1:
				out = append(out, part)
			default:
				for i := range len(runes) - 1 {
					out = append(out, string(runes[i:i+2]))
				}
			}
		}
	}
	return out
}

func notInWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// singular takes the s of a plural, or of a verb, from a word: drops and drop are one word.
func singular(word string) string {
	switch {
	case len(word) < 4, strings.HasSuffix(word, "us"), strings.HasSuffix(word, "is"):
		return word
	case strings.HasSuffix(word, "sses"):
		return strings.TrimSuffix(word, "es")
	case strings.HasSuffix(word, "ss"):
		return word
	}
	return strings.TrimSuffix(word, "s")
}

// byScript divides a word where Chinese characters and other letters meet.
func byScript(word string) []string {
	var parts []string
	var last rune
	for _, r := range word {
		if len(parts) > 0 && unicode.Is(unicode.Han, r) == unicode.Is(unicode.Han, last) {
			parts[len(parts)-1] += string(r)
		} else {
			parts = append(parts, string(r))
		}
		last = r
	}
	return parts
}

// common are words that tell no page from another.
var common = strings.Fields("an and are as at be but by can do does for from get has have how if in is it its my not of on only or so than that the their then there they this to " +
	"under was what when where which who why will with would you")
