//go:build unix

package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Context is one context of a kubeconfig.
type Context struct {
	Name string
	// User is one that the server was started with.
	User string
	// Token is sent in place of the user's own, "" to send that.
	Token string
	// Server is a URL to use in place of the server's own, such as that of a proxy in front of it; "" for the server itself.
	Server string
	// Namespace is the context's; "" for none.
	Namespace string
}

// Kubeconfig writes a kubeconfig with these contexts, the first of them current, that lives as long as the test, and returns its path.
func (s *Server) Kubeconfig(t testing.TB, contexts ...Context) string {
	t.Helper()
	path, err := s.WriteKubeconfig(filepath.Join(t.TempDir(), "kubeconfig"), contexts...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// WriteKubeconfig writes a kubeconfig with these contexts, the first of them current, to path, and returns path.
func (s *Server) WriteKubeconfig(path string, contexts ...Context) (string, error) {
	config := clientcmdapi.NewConfig()
	for _, c := range contexts {
		token := c.Token
		if token == "" {
			token = s.tokens[c.User]
		}
		if token == "" {
			return "", fmt.Errorf("context %s: no user %q on this server; it was started with %s", c.Name, c.User, strings.Join(append(s.config.users, Admin), ", "))
		}
		server := c.Server
		if server == "" {
			server = s.URL
		}
		config.Clusters[c.Name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: s.authority.Certificate}
		config.AuthInfos[c.Name] = &clientcmdapi.AuthInfo{Token: token}
		config.Contexts[c.Name] = &clientcmdapi.Context{Cluster: c.Name, AuthInfo: c.Name, Namespace: c.Namespace}
		if config.CurrentContext == "" {
			config.CurrentContext = c.Name
		}
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	return path, nil
}

// Rule permits verbs on resources, each written as kubectl does, as in Rule("get list", "services", "endpointslices.discovery.k8s.io", "nodes/proxy").
func Rule(verbs string, resources ...string) rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: strings.Fields(verbs)}
	for _, resource := range resources {
		name, group, _ := strings.Cut(resource, ".")
		rule.Resources = append(rule.Resources, name)
		rule.APIGroups = append(rule.APIGroups, group)
	}
	return rule
}

// Grant gives a user exactly these rights in the whole cluster, in place of what an earlier Grant gave; no rules take everything away. When it returns,
// the API server decides by them.
func (s *Server) Grant(ctx context.Context, user string, rules ...rbacv1.PolicyRule) error {
	if s.tokens[user] == "" {
		return fmt.Errorf("granting rights: no user %q on this server", user)
	}
	name := "test:" + user
	if rules == nil {
		rules = []rbacv1.PolicyRule{}
	}
	objects := []any{
		rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Rules:      rules,
		},
		rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: user}},
			RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: name},
		},
	}
	for _, object := range objects {
		raw, err := json.Marshal(object)
		if err != nil {
			return err
		}
		if err := s.Apply(ctx, raw); err != nil {
			return fmt.Errorf("granting rights to %s: %w", user, err)
		}
	}
	return s.await(ctx, "the rights of "+user, func(ctx context.Context) error { return s.loader.decides(ctx, s.Config(user), rules) }, s.processes...)
}
