/**
 * How each real peer is built: a module of our own outside of the project
 * that requires the peer's, and `go build` of a package of it. Nothing of
 * theirs is committed.
 */
export interface Recipe {
  readonly module: string;
  readonly version: string;
  /** Packages whose dependencies the module must know, so that `go build` finds them all. */
  readonly uses: readonly string[];
  /** Program by package. `.` is a main package of our own, in `main`. */
  readonly programs: Readonly<Record<string, string>>;
  readonly main?: string;
  readonly tags?: string;
  readonly ldflags?: string;
  /** Versions for the modules that the peer's go.mod replaces by its folder `staging`. */
  readonly staging?: string;
}

const KUBERNETES = { module: 'k8s.io/kubernetes', version: 'v1.36.3' };
const kubernetesPrograms = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'];

export const RECIPES: Readonly<Record<string, Recipe>> = {
  kubernetes: {
    ...KUBERNETES, staging: 'v0.36.3',
    uses: kubernetesPrograms.map((name) => `${KUBERNETES.module}/cmd/${name}/app`),
    programs: Object.fromEntries(kubernetesPrograms.map((name) => [name, `${KUBERNETES.module}/cmd/${name}`])),
    ldflags: `-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES.version} -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36`,
  },
  etcd: {
    module: 'go.etcd.io/etcd/server/v3', version: 'v3.7.3', uses: [], programs: { etcd: '.' },
    main: 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n',
  },
  moby: {
    module: 'github.com/moby/moby/v2', version: 'v2.0.0-beta.24', uses: ['github.com/moby/moby/v2/daemon/command'],
    programs: { dockerd: 'github.com/moby/moby/v2/cmd/dockerd', 'docker-proxy': 'github.com/moby/moby/v2/cmd/docker-proxy' },
  },
  containerd: {
    module: 'github.com/containerd/containerd/v2',
    version: 'v2.4.2',
    tags: 'no_btrfs',
    uses: [
      'cmd/containerd/command',
      'cmd/containerd/builtins',
      'cmd/containerd-shim-runc-v2/manager',
      'cmd/containerd-shim-runc-v2/task/plugin',
    ].map((path) => `github.com/containerd/containerd/v2/${path}`),
    programs: {
      containerd: 'github.com/containerd/containerd/v2/cmd/containerd',
      'containerd-shim-runc-v2': 'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2',
    },
  },
  runc: {
    module: 'github.com/opencontainers/runc', version: 'v1.5.2', tags: 'seccomp',
    uses: ['github.com/opencontainers/runc/libcontainer/nsenter', 'github.com/opencontainers/runc/libcontainer/specconv'],
    programs: { runc: 'github.com/opencontainers/runc' },
  },
};
