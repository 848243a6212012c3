// What differs between kinds and follows from nothing, by `group/resource`; facts of the API server, version 1.36.

/** PUT of a name that does not exist makes it. */
export const CREATED_ON_UPDATE: ReadonlySet<string> = new Set([
  'node.k8s.io/runtimeclasses',
  'coordination.k8s.io/leases',
  'coordination.k8s.io/leasecandidates',
  'core/limitranges',
  'core/events',
  'events.k8s.io/events',
  'core/services',
  'core/endpoints',
  ...['rolebindings', 'clusterrolebindings', 'roles', 'clusterroles'].map((resource) => `rbac.authorization.k8s.io/${resource}`),
]);

const ADMISSION_REGISTRATION: readonly string[] = [
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
].map((resource) => `admissionregistration.k8s.io/${resource}`);

/** An update must name the resourceVersion that it is about. */
export const NO_UNCONDITIONAL_UPDATE: ReadonlySet<string> = new Set([
  'node.k8s.io/runtimeclasses',
  'policy/poddisruptionbudgets',
  'coordination.k8s.io/leases',
  'coordination.k8s.io/leasecandidates',
  'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices',
  ...['csidrivers', 'csistoragecapacities', 'volumeattachments', 'csinodes'].map((resource) => `storage.k8s.io/${resource}`),
  ...['clustertrustbundles', 'podcertificaterequests'].map((resource) => `certificates.k8s.io/${resource}`),
  ...ADMISSION_REGISTRATION,
]);

/** metadata.generation counts changes of the desired state. */
export const WITH_GENERATION: ReadonlySet<string> = new Set([
  'scheduling.k8s.io/priorityclasses',
  'discovery.k8s.io/endpointslices',
  'policy/poddisruptionbudgets',
  'batch/jobs',
  'batch/cronjobs',
  'apiextensions.k8s.io/customresourcedefinitions',
  ...['pods', 'podtemplates', 'replicationcontrollers'].map((resource) => `core/${resource}`),
  ...['daemonsets', 'statefulsets', 'deployments', 'replicasets'].map((resource) => `apps/${resource}`),
  ...['ingressclasses', 'networkpolicies', 'ingresses'].map((resource) => `networking.k8s.io/${resource}`),
  ...['resourceslices', 'deviceclasses', 'devicetaintrules'].map((resource) => `resource.k8s.io/${resource}`),
  ...['flowschemas', 'prioritylevelconfigurations'].map((resource) => `flowcontrol.apiserver.k8s.io/${resource}`),
  ...ADMISSION_REGISTRATION,
]);
