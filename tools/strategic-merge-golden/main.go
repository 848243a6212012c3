// Records what apimachinery's strategic merge patch makes of objects.
//
// Reads lines {"kind", "original", "modified" or "patch"} from standard input.
// With "modified" it first makes the patch from the two, as kubectl does.
// Writes lines {"kind", "original", "patch", "result"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type record struct {
	Kind     string          `json:"kind"`
	Original json.RawMessage `json:"original"`
	Modified json.RawMessage `json:"modified,omitempty"`
	Patch    json.RawMessage `json:"patch,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
}

var types = map[string]any{"Pod": corev1.Pod{}, "Deployment": appsv1.Deployment{}, "Service": corev1.Service{}}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		var one record
		must(json.Unmarshal(lines.Bytes(), &one))
		var err error
		if one.Modified != nil {
			one.Patch, err = strategicpatch.CreateTwoWayMergePatch(one.Original, one.Modified, types[one.Kind])
			must(err)
			one.Modified = nil
		}
		one.Result, err = strategicpatch.StrategicMergePatch(one.Original, one.Patch, types[one.Kind])
		must(err)
		out, err := json.Marshal(one)
		must(err)
		fmt.Println(string(out))
	}
	must(lines.Err())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
