package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// collector walks Go types by reflection; markers from the sources come in a second pass (annotate).
type collector struct {
	types map[string]*Type
	found []reflect.Type
}

// Types with an encoding of their own, by import path and name.
var special = map[string]string{
	"k8s.io/apimachinery/pkg/api/resource.Quantity":                                         "Quantity",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":                                       "IntOrString",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":                                             "Time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":                                        "MicroTime",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":                                         "Duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":                                         "FieldsV1",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":                                          "RawExtension",
	"k8s.io/apimachinery/pkg/runtime.Object":                                                "RawExtension",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON":                         "JSON",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool":        "JSONSchemaPropsOrBool",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":       "JSONSchemaPropsOrArray",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray": "JSONSchemaPropsOrStringArray",
}

type modelNamed interface{ OpenAPIModelName() string }
type marshaler interface{ Marshal() ([]byte, error) }

func goName(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }

func modelName(t reflect.Type) string {
	if named, ok := reflect.New(t).Interface().(modelNamed); ok {
		return named.OpenAPIModelName()
	}
	panic("no OpenAPI name: " + goName(t))
}

// add collects a struct type and everything that it reaches; it returns the type's OpenAPI name.
func (c *collector) add(t reflect.Type) string {
	name := modelName(t)
	if _, ok := c.types[name]; ok {
		return name
	}
	entry := &Type{Name: name, Go: goName(t), Fields: []Field{}}
	c.types[name] = entry
	c.found = append(c.found, t)
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		parts := strings.Split(tag, ",")
		if !ok || parts[0] == "-" || !f.IsExported() {
			continue
		}
		out := Field{Name: parts[0], Number: number(f.Tag.Get("protobuf"))}
		for _, option := range parts[1:] {
			if option == "omitempty" || option == "omitzero" {
				out.OmitEmpty = true
			}
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			out.Pointer = true
			ft = ft.Elem()
		}
		if f.Anonymous && out.Name == "" {
			if out.Number == 0 && ft.Name() != "TypeMeta" {
				panic("an embedded struct without a number: " + name + "." + f.Name)
			}
		}
		out.Type = c.typeCode(ft, f.Tag.Get("protobuf"))
		if namesOther(ft) {
			out.GoType = ft.String()
		}
		out.Patch = f.Tag.Get("patchStrategy")
		out.MergeKey = f.Tag.Get("patchMergeKey")
		entry.Fields = append(entry.Fields, out)
	}
	return name
}

// typeCode: string, bool, int32, int64, float64, bytes, one of the special names, `[]T`, `map[]T`, `items[]T` (a list that
// protobuf wraps in a message of its own), or `@` and the OpenAPI name of a struct.
func (c *collector) typeCode(t reflect.Type, tag string) string {
	if code, ok := special[goName(t)]; ok && t.Name() != "" {
		if strings.HasPrefix(code, "JSONSchemaProps") && c.types[strings.TrimSuffix(modelName(t), code)+"JSONSchemaProps"] == nil {
			c.add(t.Field(0).Type.Elem())
		}
		return code
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64:
		return t.Kind().String()
	case reflect.Float64:
		return "float64"
	case reflect.Pointer:
		return c.typeCode(t.Elem(), tag)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		prefix := "[]"
		if _, ok := reflect.New(t).Interface().(marshaler); ok && t.Name() != "" {
			prefix = "items[]"
		}
		return prefix + c.typeCode(t.Elem(), tag)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic("a map with keys that are no strings: " + t.String())
		}
		return "map[]" + c.typeCode(t.Elem(), tag)
	case reflect.Struct:
		return "@" + c.add(t)
	case reflect.Interface:
		return "JSON"
	}
	panic(fmt.Sprintf("a type without a code: %s (%s)", t, t.Kind()))
}

func number(tag string) int {
	if tag == "" {
		return 0
	}
	parts := strings.Split(tag, ",")
	if parts[0] != "bytes" && parts[0] != "varint" && parts[0] != "fixed64" {
		panic("an encoding that the table does not know: " + tag)
	}
	if strings.Contains(tag, "packed") {
		panic("a packed list: " + tag)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		panic(err)
	}
	return n
}

// namesOther tells whether a type has a name that its code does not carry: a named string, number, list or map.
func namesOther(t reflect.Type) bool {
	if _, ok := special[goName(t)]; ok && t.Name() != "" {
		return false
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return t.PkgPath() != "" || namesOther(t.Elem())
	case reflect.Struct, reflect.Interface:
		return false
	}
	return t.PkgPath() != ""
}
