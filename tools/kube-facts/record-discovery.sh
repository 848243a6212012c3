#!/usr/bin/env bash
# Records what a real kube-apiserver serves by default into discovery.json: groups in order of preference, versions,
# resources, verbs, short names, categories, subresources. Needs the programs etcd, kube-apiserver, openssl and curl on PATH:
#   PATH=/folder/of/the/peers:$PATH tools/kube-facts/record-discovery.sh
# Everything runs on loopback in a temporary folder, and ends with this script.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
work="$(mktemp -d)"
pids=()
cleanup() { for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
etcd_port="${ETCD_PORT:-42179}" peer_port="${ETCD_PEER_PORT:-42180}" port="${API_PORT:-46143}"
cd "$work"
openssl genrsa -out sa.key 2048 2>/dev/null
echo 'recorder,admin,admin,"system:masters"' >tokens.csv
etcd --data-dir etcd --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
  --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
  --initial-cluster "default=http://127.0.0.1:$peer_port" >etcd.log 2>&1 &
pids+=($!)
kube-apiserver --etcd-servers "http://127.0.0.1:$etcd_port" --secure-port "$port" --bind-address 127.0.0.1 --cert-dir certs \
  --service-account-key-file sa.key --service-account-signing-key-file sa.key --service-account-issuer https://kubernetes.default.svc \
  --authorization-mode RBAC --token-auth-file tokens.csv --service-cluster-ip-range 10.96.0.0/16 >api.log 2>&1 &
pids+=($!)
get() { curl -sSfk -H 'Authorization: Bearer recorder' -H 'Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' "https://127.0.0.1:$port$1"; }
for _ in $(seq 60); do get /readyz >/dev/null 2>&1 && break; sleep 0.5; done
get /version >version.json; get /api >api.json; get /apis >apis.json
node -e '
  const read = (name) => JSON.parse(require("node:fs").readFileSync(name, "utf8"));
  const items = [...read("api.json").items, ...read("apis.json").items];
  const kindOf = (k) => `${k.group}/${k.version}/${k.kind}`;
  const groups = items.map((g) => ({ group: g.metadata.name ?? "", versions: g.versions.map((v) => ({ version: v.version, resources: v.resources.map((r) => ({
    resource: r.resource, singular: r.singularResource, kind: kindOf(r.responseKind), scope: r.scope, verbs: r.verbs, shortNames: r.shortNames, categories: r.categories,
    subresources: r.subresources?.map((s) => ({ name: s.subresource, kind: kindOf(s.responseKind), verbs: s.verbs })) })) })) }));
  const rows = groups.map((g) => `{"group":${JSON.stringify(g.group)},"versions":[` + g.versions.map((v) => `\n {"version":"${v.version}","resources":[\n  ` + v.resources.map((r) => JSON.stringify(r)).join(",\n  ") + "]}").join(",") + "]}");
  process.stdout.write(`{"recordedFrom":"kube-apiserver ${read("version.json").gitVersion}, default flags, by record-discovery.sh","groups":[\n${rows.join(",\n")}\n]}\n`);
' >"$here/discovery.json"
