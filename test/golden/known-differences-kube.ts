import type { KnownDifference } from './known-difference.ts';

/** Part of KNOWN_DIFFERENCES. */
export const KUBE_DIFFERENCES: readonly KnownDifference[] = [
  {
    why: 'On purpose: tokens are signed by ES256, not RS256.',
    at: [
      'kube/http | the OpenID configuration | body.id_token_signing_alg_values_supported[0]',
      'kube/http | its keys | body.keys',
    ],
  },
  {
    why: 'On purpose: a list that was begun by pages is kept in memory for a while, whatever the store forgets.',
    at: [
      'kube/expired | the second page is too old, and tells how to go on | status',
      'kube/expired | with what is there now | body.metadata.continue',
      'kube/expired | with what is there now | body.metadata.remainingItemCount',
      'kube/expired | with what is there now | body.items[0].metadata.name',
      'kube/expired | with what is there now | body.items[0].metadata.uid',
      'kube/expired | with what is there now | body.items[0].metadata.resourceVersion',
      'kube/expired | with what is there now | body.items[1]',
    ],
  },
  {
    why: 'Messages that Go makes of values: its types, its names of fields, its words for JSON and YAML that does not parse.',
    at: [
      'kube/apply | broken YAML | body.message',
      'kube/decode | broken YAML | body.message',
      'kube/decode | an apiVersion that nobody knows | body.message',
      'kube/decode | a List | body.message',
      'kube/delete | a body of another kind | body.message',
      'kube/kinds | a claim\'s spec does not change | body.message',
      'kube/kinds | a claim\'s spec does not change | body.details.causes[0].message',
      'kube/list | a continue token that is none | body.message',
      'kube/pod-life | the command does not | body.message',
      'kube/pod-life | an ephemeral container through the pod | body.message',
      'kube/pod-life | resources through the pod | body.message',
      'kube/pod-life | the command does not | body.details.causes[0].message',
      'kube/pod-life | an ephemeral container through the pod | body.details.causes[0].message',
      'kube/pod-life | resources through the pod | body.details.causes[0].message',
      'kube/rbac | impersonation without a user | body.message',
      'kube/secret | dockerconfigjson that is no JSON | body.message',
      'kube/secret | dockerconfigjson that is no JSON | body.details.causes[0].message',
      'kube/workloads | a Job\'s template does not change | body.message',
      'kube/workloads | a Job\'s template does not change | body.details.causes[0].message',
    ],
  },
  {
    why: 'On purpose: the keys of the store are not told.',
    at: [
      'kube/metadata | PUT with another uid | body.message',
    ],
  },
  {
    why: 'On purpose: the HTTP parser refuses methods that HTTP does not know.',
    at: [
      'kube/http | a method that nobody knows | status',
    ],
  },
  {
    why: 'On purpose: a number is what it is worth, however it is written.',
    at: [
      'kube/decode | a whole number written as a fraction | status',
    ],
  },
  {
    why: 'On purpose: the time of the change that moved endpoints is not kept in annotations.',
    at: [
      'kube/controllers | * | body.metadata.annotations',
      'kube/controllers | and a slice | body.items[0].metadata.annotations',
    ],
  },
  {
    why: 'On purpose: an empty list is written as such, and not as null.',
    at: [
      'kube/controllers | and a slice | body.items[0].endpoints',
      'kube/controllers | and a slice | body.items[0].ports',
      'kube/metadata | a role\'s name may hold colons | body.rules',
      'kube/metadata | a namespace on a cluster\'s object | body.rules',
    ],
  },
  {
    why: 'On purpose: whoever writes through scale is told with the time, as everybody is.',
    at: [
      'kube/apply | so has status | body.metadata.managedFields[4].time',
      'kube/apply | read it all | body.metadata.managedFields[4].time',
      'kube/apply | what another sets | body.metadata.managedFields[4].time',
      'kube/apply | stays through an apply that does not speak of it | body.metadata.managedFields[4].time',
    ],
  },
  {
    why: 'On purpose: the index of OpenAPI says that it is JSON, and what is not there answers with a Status.',
    at: [
      'kube/openapi | the index | headers.content-type',
      'kube/openapi | a document that is not there | body',
    ],
  },
  {
    why: 'On purpose: each operation names its parameters itself, where upstream shares them between operations of a path or refers to them.',
    at: [
      'kube/openapi | paths of a pod\'s eviction | body["/api/v1/namespaces/{namespace}/pods/{name}/eviction"].parameters',
      'kube/openapi | paths of a pod\'s eviction | body["/api/v1/namespaces/{namespace}/pods/{name}/eviction"].post.parameters',
      'kube/openapi | version 2, paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].delete.parameters',
      'kube/openapi | version 2, paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].get.parameters',
      'kube/openapi | version 2, paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].parameters',
      'kube/openapi | version 2, paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].post.parameters',
    ],
  },
  {
    why: 'On purpose: parameters of alpha features are none here.',
    at: [
      'kube/openapi | paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].delete.parameters.ignoreStoreReadErrorWithClusterBreakingPotential',
      'kube/openapi | paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].delete.parameters.shardSelector',
      'kube/openapi | paths of configmaps | body["/api/v1/namespaces/{namespace}/configmaps"].get.parameters.shardSelector',
      'kube/openapi | paths of one configmap | body["/api/v1/namespaces/{namespace}/configmaps/{name}"].delete.parameters.ignoreStoreReadErrorWithClusterBreakingPotential',
    ],
  },
  {
    why: 'On purpose: the deprecated watch paths are served and not described, nor are those of streams.',
    at: [
      'kube/openapi | paths of configmaps | body["/api/v1/watch/namespaces/{namespace}/configmaps"]',
      'kube/openapi | version 2, paths of configmaps | body["/api/v1/watch/namespaces/{namespace}/configmaps"]',
      'kube/openapi | paths of one configmap | body["/api/v1/watch/namespaces/{namespace}/configmaps/{name}"]',
      'kube/openapi | paths of a pod\'s log | body["/api/v1/namespaces/{namespace}/pods/{name}/log"]',
    ],
  },
  {
    why: 'On purpose: verbs that are missing are told in order of the alphabet.',
    at: [
      'kube/rbac | a binding to more than alice has | body.message',
    ],
  },
  {
    why: 'On purpose: the right to impersonate is the classical one; that which 1.36 has as a beta besides is not built.',
    at: [
      'kube/rbac | impersonation that is forbidden | body.message',
      'kube/rbac | impersonation that is forbidden | body.details.kind',
      'kube/rbac | impersonation that is forbidden | body.details.name',
    ],
  },
  {
    why: 'On purpose: of devices, which are not allocated, nothing is said, and a claim that is not there is told once.',
    at: [
      'kube/scheduler | * | body.status.conditions[0].message',
    ],
  },
  {
    why: 'On purpose: the events of the scheduler have times and a count as those of others have, so that lists of events can be sorted.',
    at: [
      'kube/scheduler | and is told why | body.items[0].firstTimestamp',
      'kube/scheduler | which is told, too | body.items[0].firstTimestamp',
      'kube/scheduler | and is told why | body.items[0].lastTimestamp',
      'kube/scheduler | which is told, too | body.items[0].lastTimestamp',
      'kube/scheduler | and is told why | body.items[0].eventTime',
      'kube/scheduler | which is told, too | body.items[0].eventTime',
      'kube/scheduler | and is told why | body.items[0].source.component',
      'kube/scheduler | which is told, too | body.items[0].source.component',
      'kube/scheduler | and is told why | body.items[0].action',
      'kube/scheduler | which is told, too | body.items[0].action',
      'kube/scheduler | and is told why | body.items[0].reportingInstance',
      'kube/scheduler | which is told, too | body.items[0].reportingInstance',
      'kube/scheduler | and is told why | body.items[0].count',
      'kube/scheduler | which is told, too | body.items[0].count',
    ],
  },
  {
    why: 'On purpose: the hash is that of the version in which it is stored here.',
    at: [
      'kube/discovery | resources of admissionregistration | body.resources[0].storageVersionHash',
      'kube/discovery | resources of apiextensions | body.resources[0].storageVersionHash',
      'kube/discovery | resources of admissionregistration | body.resources[1].storageVersionHash',
    ],
  },
  {
    why: 'On purpose: the metadata in a row of a Table is that of the object.',
    at: [
      'kube/table | daemon sets | body.rows[0].object.metadata.annotations',
    ],
  },
  {
    why: 'On purpose: who writes what nothing here acts upon is warned.',
    at: [
      'kube/kinds | an ingress | headers.warning',
      'kube/kinds | a network policy | headers.warning',
      'kube/kinds | a network policy with an egress | headers.warning',
      'kube/pod-defaults | pod level resources | headers.warning',
      'kube/kinds | an autoscaler | headers.warning',
      'kube/kinds | a webhook | headers.warning',
      'kube/table | an ingress | headers.warning',
      'kube/table | a network policy | headers.warning',
      'kube/table | an autoscaler | headers.warning',
    ],
  },
  {
    why: 'On purpose: keys that came twice are told before fields that nobody knows.',
    at: [
      'kube/field-validation | by default they are warned about | headers.warning',
    ],
  },
  {
    why: 'On purpose: a fault of metadata is told once.',
    at: [
      'kube/patch-merge | another uid | body.details.causes[1]',
      'kube/delete | no finalizer is added to what is going | body.details.causes[1]',
    ],
  },
  {
    why: 'On purpose: a JSON patch that cannot be applied is refused with the reason; upstream keeps it to itself.',
    at: [
      'kube/patch-json | a test that fails | body.details.causes',
      'kube/patch-json | remove what is not there | body.details.causes',
      'kube/patch-json | add below what is not there | body.details.causes',
      'kube/patch-json | an operation that nobody knows | body.details.causes',
      'kube/patch-json | an index beyond the end | body.details.causes',
      'kube/patch-json | no path | body.details.causes',
    ],
  },
  {
    why: 'On purpose: what does not fit is shown as it was sent, not the whole object that it would have made.',
    at: [
      'kube/patch-json | a value of the wrong type | body.message',
      'kube/patch-json | a value of the wrong type | body.details.causes[0].message',
      'kube/patch-merge | a type that is wrong | body.message',
      'kube/patch-merge | a type that is wrong | body.details.causes[0].message',
      'kube/patch-merge | another kind | body.message',
      'kube/patch-merge | another kind | body.details.causes[0].message',
      'kube/field-validation | a merge patch, strictly | body.message',
      'kube/field-validation | a JSON patch, strictly | body.message',
      'kube/field-validation | a merge patch, strictly | body.details.causes[0].message',
      'kube/field-validation | a JSON patch, strictly | body.details.causes[0].message',
      'kube/field-validation | a merge patch with a key twice, strictly | body.message',
      'kube/field-validation | a merge patch with a key twice, strictly | body.details.causes[0].message',
      'kube/field-validation | a JSON patch with a foreign member, strictly | body.message',
      'kube/field-validation | a JSON patch with a foreign member, strictly | body.details.causes[0].message',
    ],
  },
];
