// Command kube-facts prints, as JSON, what the published Go modules say about the types of the Kubernetes API: fields
// with their JSON names, Go types, protobuf numbers, patch and merge keys, and list, map and struct types. It reads
// discovery.json to know which kinds to start from. tools/generate.ts runs it and writes the tables.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	metrics "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Field is one member of a struct as it is on the wire. Name is empty for an embedded struct, whose fields are inline
// in JSON and a message of their own in protobuf.
type Field struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"` // see typeCode
	Number    int      `json:"number,omitempty"`
	Pointer   bool     `json:"pointer,omitempty"`
	OmitEmpty bool     `json:"omitEmpty,omitempty"`
	Optional  bool     `json:"optional,omitempty"`
	Patch     string   `json:"patch,omitempty"`
	MergeKey  string   `json:"mergeKey,omitempty"`
	List      string   `json:"list,omitempty"` // set, map; atomic is the default
	Keys      []string `json:"keys,omitempty"`
	Atomic    bool     `json:"atomic,omitempty"`  // a map or struct that is replaced as a whole
	Default   string   `json:"default,omitempty"` // JSON
	GoType    string   `json:"goType,omitempty"`  // as Go prints it, where a name in it is not a struct's
}

type Type struct {
	Name   string  `json:"name"`
	Go     string  `json:"go"`
	Atomic bool    `json:"atomic,omitempty"`
	Fields []Field `json:"fields"`
}

type Kind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	Type    string `json:"type"`
}

type Facts struct {
	Types []Type `json:"types"`
	Kinds []Kind `json:"kinds"`
}

type discovery struct {
	Groups []struct {
		Group    string `json:"group"`
		Versions []struct {
			Version string `json:"version"`
		} `json:"versions"`
	} `json:"groups"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kube-facts:", err)
		os.Exit(1)
	}
}

func run() error {
	raw, err := os.ReadFile("discovery.json")
	if err != nil {
		return err
	}
	var served discovery
	if err := json.Unmarshal(raw, &served); err != nil {
		return err
	}
	s := scheme.Scheme
	for _, add := range []func(*runtime.Scheme) error{apiextensions.AddToScheme, apiregistration.AddToScheme, metrics.AddToScheme} {
		if err := add(s); err != nil {
			return err
		}
	}
	wanted := map[schema.GroupVersion]bool{metrics.SchemeGroupVersion: true}
	for _, g := range served.Groups {
		for _, v := range g.Versions {
			wanted[schema.GroupVersion{Group: g.Group, Version: v.Version}] = true
		}
	}
	c := &collector{types: map[string]*Type{}}
	var kinds []Kind
	for gvk, t := range s.AllKnownTypes() {
		// Options and lists are the same for all groups; they are added by hand below.
		if !wanted[gvk.GroupVersion()] || t.PkgPath() == "k8s.io/apimachinery/pkg/apis/meta/v1" || strings.HasSuffix(gvk.Kind, "List") {
			continue
		}
		kinds = append(kinds, Kind{gvk.Group, gvk.Version, gvk.Kind, c.add(t)})
	}
	for _, o := range []any{metav1.ObjectMeta{}, metav1.ListMeta{}, metav1.Status{}, metav1.DeleteOptions{}, metav1.CreateOptions{}, metav1.UpdateOptions{},
		metav1.PatchOptions{}, metav1.GetOptions{}, metav1.ListOptions{}, metav1.WatchEvent{}, metav1.PartialObjectMetadata{}, metav1.Table{},
		metav1.APIGroupList{}, metav1.APIResourceList{}, metav1.APIVersions{}} {
		c.add(reflect.TypeOf(o))
	}
	if err := c.annotate(); err != nil {
		return err
	}
	facts := Facts{Kinds: kinds}
	for _, t := range c.types {
		facts.Types = append(facts.Types, *t)
	}
	sort.Slice(facts.Types, func(i, j int) bool { return facts.Types[i].Name < facts.Types[j].Name })
	sort.Slice(facts.Kinds, func(i, j int) bool {
		a, b := facts.Kinds[i], facts.Kinds[j]
		return a.Group+"/"+a.Version+"/"+a.Kind < b.Group+"/"+b.Version+"/"+b.Kind
	})
	return json.NewEncoder(os.Stdout).Encode(facts)
}
