package api

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
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

func TestNoKubeconfig(t *testing.T) {
	for name, test := range map[string]struct{ path, context, want string }{
		"none":          {t.TempDir() + "/none", "", "kubeconfig"},
		"wrong context": {"", "wrong", "kubectl config get-contexts"},
	} {
		t.Run(name, func(t *testing.T) {
			path := test.path
			if path == "" {
				path = t.TempDir() + "/config"
				text := "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n"
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("KUBECONFIG", path)
			getter := genericclioptions.NewConfigFlags(false)
			if test.context != "" {
				getter.Context = &test.context
			}
			_, err := New(getter)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v", err)
			}
		})
	}
}
