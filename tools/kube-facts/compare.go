package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// The schema language of structured-merge-diff, as far as it is compared.
type applyType struct {
	Name string     `json:"name"`
	Map  *applyMap  `json:"map"`
	List *applyList `json:"list"`
}
type applyMap struct {
	Fields              []applyField `json:"fields"`
	ElementRelationship string       `json:"elementRelationship"`
}
type applyList struct {
	ElementRelationship string   `json:"elementRelationship"`
	Keys                []string `json:"keys"`
}
type applyField struct {
	Name string `json:"name"`
	Type struct {
		NamedType           string     `json:"namedType"`
		List                *applyList `json:"list"`
		Map                 *applyMap  `json:"map"`
		ElementRelationship string     `json:"elementRelationship"`
	} `json:"type"`
	Default any `json:"default"`
}

// compareWithApplySchema fails when the merge rules found here differ from those that client-go was generated with.
func (c *collector) compareWithApplySchema() error {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "k8s.io/client-go/applyconfigurations").Output()
	if err != nil {
		return err
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "internal.go"))
	if err != nil {
		return err
	}
	parts := strings.Split(string(source), "`")
	var schema struct {
		Types []applyType `json:"types"`
	}
	if err := yaml.Unmarshal([]byte(parts[len(parts)-2]), &schema); err != nil {
		return err
	}
	compared := 0
	var wrong []string
	for _, theirs := range schema.Types {
		ours, ok := c.types[theirs.Name]
		if !ok || theirs.Map == nil {
			continue
		}
		if ours.Atomic != (theirs.Map.ElementRelationship == "atomic") {
			wrong = append(wrong, fmt.Sprintf("%s: atomic %v", theirs.Name, ours.Atomic))
		}
		flat := c.flatten(ours, map[string]*Field{})
		for _, tf := range theirs.Map.Fields {
			of, ok := flat[tf.Name]
			if !ok {
				wrong = append(wrong, fmt.Sprintf("%s.%s: missing", theirs.Name, tf.Name))
				continue
			}
			compared++
			list, keys, atomic := "", []string(nil), tf.Type.ElementRelationship == "atomic"
			if tf.Type.List != nil && tf.Type.List.ElementRelationship == "associative" {
				list, keys = "set", tf.Type.List.Keys
				if len(keys) > 0 {
					list = "map"
				}
			}
			if tf.Type.Map != nil {
				atomic = tf.Type.Map.ElementRelationship == "atomic"
			}
			if of.List != list || fmt.Sprint(of.Keys) != fmt.Sprint(keys) || of.Atomic != atomic {
				wrong = append(wrong, fmt.Sprintf("%s.%s: ours %q %v %v, theirs %q %v %v", theirs.Name, tf.Name, of.List, of.Keys, of.Atomic, list, keys, atomic))
			}
		}
	}
	if len(wrong) > 0 || compared < 1500 {
		return fmt.Errorf("%d fields compared with client-go's apply schema; differences:\n%s", compared, strings.Join(wrong, "\n"))
	}
	return nil
}

func (c *collector) flatten(t *Type, into map[string]*Field) map[string]*Field {
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Name == "" {
			c.flatten(c.types[strings.TrimPrefix(f.Type, "@")], into)
			continue
		}
		into[f.Name] = f
	}
	return into
}
