package api

import (
	"context"
	"errors"
	"net/url"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a list ends with that is not its age is an error, and is not asked again.
func TestListFails(t *testing.T) {
	asked := 0
	taken := 0
	err := Pages(nil, func(url.Values) (*Page, error) {
		if asked++; asked == 2 {
			return nil, context.DeadlineExceeded
		}
		return NewPage(&metav1.ListMeta{Continue: "more"}, func() error { taken++; return nil }), nil
	})
	if !errors.Is(err, context.DeadlineExceeded) || asked != 2 || taken != 1 {
		t.Errorf("error %v after %d requests, %d pages taken", err, asked, taken)
	}
}
