// Records how Go's own types write objects as application/vnd.kubernetes.protobuf.
//
// Reads JSON objects, one a line, from standard input. Writes for each a line
// {"json": as Go writes it, "protobuf": base64 of the body, envelope included}.
// With -decode it goes the other way: base64 of a body in, JSON out.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	types := runtime.NewScheme()
	must(scheme.AddToScheme(types))
	must(apiextensions.AddToScheme(types))
	text := jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, types, types, jsonserializer.SerializerOptions{})
	wire := protobuf.NewSerializer(types, types)
	decode := len(os.Args) > 1 && os.Args[1] == "-decode"

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		if decode {
			body, err := base64.StdEncoding.DecodeString(lines.Text())
			must(err)
			fmt.Println(string(encode(text, read(wire, body))))
			continue
		}
		object := read(text, lines.Bytes())
		out, err := json.Marshal(map[string]any{"json": json.RawMessage(encode(text, object)), "protobuf": encode(wire, object)})
		must(err)
		fmt.Println(string(out))
	}
	must(lines.Err())
}

func read(serializer runtime.Serializer, data []byte) runtime.Object {
	object, _, err := serializer.Decode(data, nil, nil)
	must(err)
	return object
}

func encode(serializer runtime.Serializer, object runtime.Object) []byte {
	var out bytes.Buffer
	must(serializer.Encode(object, &out))
	return bytes.TrimSpace(out.Bytes())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
