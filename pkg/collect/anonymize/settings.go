package anonymize

import (
	"encoding/json"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// flags are the flags of a command line that the diagnosis depends on.
func (a *anonymizer) flags(given map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		replace, ok := allowedFlags[name]
		if !ok {
			continue
		}
		out = append(out, "--"+name+"="+replace(a, given[name]))
	}
	return out
}

// container leaves of a command line the program and the flags that matter.
func (a *anonymizer) container(c *corev1.Container) {
	all := detect.Words(c)
	c.Command, c.Args = nil, a.flags(detect.Flags(all))
	for _, word := range all {
		if path.Base(word) == "kube-proxy" {
			c.Command = []string{"kube-proxy"}
		}
	}
}

// k3s are the arguments with which a node of k3s was started, a JSON list.
func (a *anonymizer) k3s(text string) string {
	var args []string
	if json.Unmarshal([]byte(text), &args) != nil {
		return a.name("value", text)
	}
	out := []string{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		out = append(out, a.value(args[0]))
	}
	out = append(out, a.flags(detect.Flags(args))...)
	for _, arg := range detect.KubeProxyArgs(args) {
		for _, flag := range a.flags(detect.Flags([]string{"--" + arg})) {
			out = append(out, "--kube-proxy-arg="+strings.TrimPrefix(flag, "--"))
		}
	}
	return marshalled(json.Marshal(out))
}

func marshalled(text []byte, err error) string {
	if err != nil {
		return ""
	}
	return string(text)
}

// data is that of a ConfigMap. A file in it is taken apart by the fields that are read.
func (a *anonymizer) data(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for key, text := range in {
		out[a.segment(key)] = a.file(key, text)
	}
	return out
}

func (a *anonymizer) file(key, text string) string {
	switch {
	case detect.IsKubeProxyConfiguration(text):
		read, err := detect.ParseKubeProxyConfiguration(text)
		if err != nil {
			// It cannot be read afterwards either.
			return "KubeProxyConfiguration: ["
		}
		a.walk(reflect.ValueOf(read).Elem(), "KubeProxyConfiguration")
		return marshalled(yaml.Marshal(read))
	case key == detect.AntreaConfKey:
		var read detect.AntreaConfiguration
		if yaml.Unmarshal([]byte(text), &read) != nil {
			return "["
		}
		a.walk(reflect.ValueOf(&read).Elem(), "AntreaConfiguration")
		return marshalled(yaml.Marshal(read))
	case key == detect.TerwayConfKey:
		var read map[string]any
		if json.Unmarshal([]byte(text), &read) != nil {
			return "["
		}
		kind, _ := read[detect.TerwayDatapath].(string)
		return marshalled(json.Marshal(map[string]string{detect.TerwayDatapath: a.value(kind)}))
	}
	return a.value(text)
}

// other is an object of a kind that is not part of Kubernetes: fields that are not allowed are left out.
func (a *anonymizer) other(u *unstructured.Unstructured) unstructured.Unstructured {
	object := u.DeepCopy()
	kept, _ := a.decoded(u.GetKind(), object.Object).(map[string]any)
	return unstructured.Unstructured{Object: kept}
}

func (a *anonymizer) decoded(at string, value any) any {
	switch value := value.(type) {
	case string:
		return a.text(at, value)
	case []any:
		for i := range value {
			value[i] = a.decoded(at, value[i])
		}
	case map[string]any:
		for name, inner := range value {
			if allowedFields[name] {
				value[name] = a.decoded(at+"."+name, inner)
			} else {
				delete(value, name)
			}
		}
	}
	return value
}
