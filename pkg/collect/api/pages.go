package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PageSize bounds what one list answers with.
const PageSize = 500

// Page is one page of a list.
type Page struct {
	meta metav1.ListInterface
	take func() error
}

// NewPage is a page with the metadata that names the next one. take stores the page's items; it is called once, when the list has ended.
func NewPage(meta metav1.ListInterface, take func() error) *Page { return &Page{meta, take} }

// maxRestarts bounds how often a list is read again because the server no longer has the rest of it.
const maxRestarts = 2

// Pages reads a list of any length, page by page, and stores the pages when the list has ended: pages of two attempts are never mixed. The server keeps the rest of a list for
// some minutes, until etcd is compacted. A list that takes longer is read from the beginning again, the last time in one piece, which cannot expire. After any other
// error the pages before it are stored, and the error says that some are missing.
func Pages(parameters url.Values, list func(url.Values) (*Page, error)) error {
	for restarts := 0; ; restarts++ {
		all, err := eachPage(parameters, restarts < maxRestarts, list)
		if (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && restarts < maxRestarts {
			continue
		}
		for _, page := range all {
			if err := page.take(); err != nil {
				return err
			}
		}
		return err
	}
}

// eachPage reads a list once, in pages of PageSize or in one piece. With an error come the pages before it.
func eachPage(parameters url.Values, inPages bool, list func(url.Values) (*Page, error)) ([]*Page, error) {
	parameters = CloneValues(parameters)
	if inPages {
		parameters.Set("limit", strconv.Itoa(PageSize))
	}
	var all []*Page
	for {
		page, err := list(parameters)
		if err != nil {
			return all, err
		}
		all = append(all, page)
		if page.meta.GetContinue() == "" {
			return all, nil
		}
		parameters = CloneValues(parameters)
		parameters.Set("continue", page.meta.GetContinue())
	}
}

// CloneValues is a deep copy.
func CloneValues(v url.Values) url.Values {
	out := url.Values{}
	for key, values := range v {
		out[key] = slices.Clone(values)
	}
	return out
}

// MaxPages bounds how much FirstPages reads.
const MaxPages = 10

// ErrMore is the error of FirstPages for a longer list.
var ErrMore = fmt.Errorf("there are more than %[1]d, and only the first %[1]d were read", MaxPages*PageSize)

// FirstPages is Pages for a list that may be long: it reads at most MaxPages pages. The error is ErrMore where there are more.
func FirstPages(parameters url.Values, list func(url.Values) (*Page, error)) error {
	read := 0
	return Pages(parameters, func(page url.Values) (*Page, error) {
		if read == MaxPages {
			return nil, ErrMore
		}
		read++
		return list(page)
	})
}
