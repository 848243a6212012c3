package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"reflect"
	"strings"
)

type marks map[string][]string

// annotate adds what only the comments of the sources say (`+listType`, `+listMapKey`, `+mapType`, `+structType`,
// `+optional`, `+default`), then checks the outcome against the schema of client-go's apply configurations.
func (c *collector) annotate() error {
	packages := map[string]bool{}
	for _, t := range c.found {
		packages[t.PkgPath()] = true
	}
	fields, types := map[string]marks{}, map[string]marks{}
	for path := range packages {
		dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
		if err != nil {
			return fmt.Errorf("go list %s: %w", path, err)
		}
		parsed, err := parser.ParseDir(token.NewFileSet(), strings.TrimSpace(string(dir)), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, pkg := range parsed {
			for _, file := range pkg.Files {
				readFile(path, file, fields, types)
			}
		}
	}
	for _, t := range c.found {
		entry := c.types[modelName(t)]
		entry.Atomic = types[goName(t)].is("structType", "atomic")
		at := 0
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			tag, ok := f.Tag.Lookup("json")
			if !ok || strings.HasPrefix(tag, "-") || !f.IsExported() {
				continue
			}
			out := &entry.Fields[at]
			at++
			m := fields[goName(t)+"."+f.Name]
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			// A named list or map may carry the markers itself.
			own := marks{}
			if ft.Name() != "" {
				own = types[goName(ft)]
			}
			pick := func(name string) []string {
				if v, ok := m[name]; ok {
					return v
				}
				return own[name]
			}
			if v := pick("listType"); len(v) > 0 && v[0] != "atomic" {
				out.List = v[0]
				out.Keys = pick("listMapKey")
			}
			out.Atomic = (len(pick("mapType")) > 0 && pick("mapType")[0] == "atomic") || m.is("structType", "atomic")
			_, optional := m["optional"]
			_, alsoOptional := m["k8s:optional"]
			_, required := m["required"]
			out.Optional = (optional || alsoOptional || out.OmitEmpty) && !required
			if v := m["default"]; len(v) > 0 && json.Valid([]byte(v[0])) {
				out.Default = v[0]
			} else if v := own["default"]; len(v) > 0 && json.Valid([]byte(v[0])) {
				out.Default = v[0]
			}
		}
	}
	return c.compareWithApplySchema()
}

func (m marks) is(name, value string) bool { return len(m[name]) > 0 && m[name][0] == value }

func readFile(path string, file *ast.File, fields, types map[string]marks) {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			ts := spec.(*ast.TypeSpec)
			name := path + "." + ts.Name.Name
			types[name] = read(gen.Doc, ts.Doc)
			st, ok := ts.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range st.Fields.List {
				names := []string{}
				for _, n := range f.Names {
					names = append(names, n.Name)
				}
				if len(names) == 0 {
					switch e := f.Type.(type) {
					case *ast.Ident:
						names = append(names, e.Name)
					case *ast.SelectorExpr:
						names = append(names, e.Sel.Name)
					}
				}
				for _, n := range names {
					fields[name+"."+n] = read(f.Doc, f.Comment)
				}
			}
		}
	}
}

func read(groups ...*ast.CommentGroup) marks {
	out := marks{}
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			line := strings.TrimSpace(strings.TrimPrefix(comment.Text, "//"))
			if !strings.HasPrefix(line, "+") {
				continue
			}
			name, value, _ := strings.Cut(line[1:], "=")
			out[strings.TrimSpace(name)] = append(out[strings.TrimSpace(name)], strings.TrimSpace(value))
		}
	}
	return out
}
