import type { APIService } from '../../../types/kubernetes/generated/apiregistration-v1.ts';
import type { CustomResourceDefinition } from '../../../types/kubernetes/generated/apiextensions-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import { failure, qualified } from '../errors.ts';

/**
 * Kinds that are kept and shown, and that nothing in this release acts upon:
 * what that means, and what to do instead. Whoever writes one is told by a
 * Warning header. A kind leaves the table with the change that serves it.
 */
export const NOT_ACTED_UPON: Readonly<Record<string, string>> = {
  'horizontalpodautoscalers.autoscaling': 'nothing scales by it; scale the workload yourself (kubectl scale)',
  'networkpolicies.networking.k8s.io': 'no traffic is restricted by it; do not rely on it to isolate pods',
  'ingresses.networking.k8s.io': 'no ingress controller is built in; reach the Service by type NodePort or LoadBalancer, or run a controller in a pod',
  'servicecidrs.networking.k8s.io': 'Services get addresses from the range that the server was started with, and no other',
  'ipaddresses.networking.k8s.io': 'addresses of Services are not reserved by it',
  'validatingwebhookconfigurations.admissionregistration.k8s.io':
    'no webhook is called: nothing is refused by it; check objects before they are applied',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io':
    'no webhook is called: nothing is changed by it; put what it would add into the objects themselves',
  'validatingadmissionpolicies.admissionregistration.k8s.io':
    'the policy is not evaluated: nothing is refused by it; pod-security labels, quotas and limit ranges of namespaces are enforced',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io':
    'the policy is not evaluated: nothing is refused by it; pod-security labels, quotas and limit ranges of namespaces are enforced',
  'mutatingadmissionpolicies.admissionregistration.k8s.io':
    'the policy is not evaluated: nothing is changed by it; put what it would add into the objects themselves',
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io':
    'the policy is not evaluated: nothing is changed by it; put what it would add into the objects themselves',
  'flowschemas.flowcontrol.apiserver.k8s.io': 'requests are shared out fairly between users, and not by it',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': 'requests are shared out fairly between users, and not by it',
  'runtimeclasses.node.k8s.io': 'all pods run by the one runtime of their node, whatever the handler; overhead and scheduling are honoured',
  'csidrivers.storage.k8s.io': 'CSI drivers are not called; use volumes of type hostPath or local, or the class "standard"',
  'csinodes.storage.k8s.io': 'CSI drivers are not called; use volumes of type hostPath or local, or the class "standard"',
  'csistoragecapacities.storage.k8s.io': 'CSI drivers are not called; use volumes of type hostPath or local, or the class "standard"',
  'volumeattachments.storage.k8s.io': 'nothing attaches volumes; use volumes of type hostPath or local, or the class "standard"',
  'volumeattributesclasses.storage.k8s.io': 'nothing changes volumes by it',
  'deviceclasses.resource.k8s.io': 'devices are not allocated; mount what a pod needs of its node by hostPath',
  'resourceclaims.resource.k8s.io': 'devices are not allocated; mount what a pod needs of its node by hostPath',
  'resourceclaimtemplates.resource.k8s.io': 'devices are not allocated; mount what a pod needs of its node by hostPath',
  'resourceslices.resource.k8s.io': 'devices are not allocated; mount what a pod needs of its node by hostPath',
};

/** What a pod's spec asks of its node that no node does. */
function ignoredOf({ spec }: Pod): string | undefined {
  return spec?.resources?.limits === undefined && spec?.resources?.requests === undefined
    ? undefined
    : 'spec.resources of a pod is kept, but limits and reserves nothing: give its containers resources of their own';
}

/** What cannot be made at all, since keeping it would promise an API that is not there: why, and what to do instead. */
function refusal(at: AdmissionAttributes): string | undefined {
  switch (qualified(at.resource)) {
    case 'customresourcedefinitions.apiextensions.k8s.io': {
      const { spec } = at.object as CustomResourceDefinition;
      return `this release serves no custom resources, so that no ${spec.names.kind} could be kept. Leave it out of what is applied (helm install --skip-crds), and keep such data in a ConfigMap`;
    }
    case 'apiservices.apiregistration.k8s.io': {
      const { spec } = at.object as APIService;
      if (spec?.service === undefined) return undefined;
      return `this release does not forward requests to other API servers, so that nothing would answer below /apis/${spec.group ?? ''}/${spec.version ?? ''}. Leave it out of what is applied, and call the Service ${spec.service.namespace ?? ''}/${spec.service.name ?? ''} itself`;
    }
    default: return undefined;
  }
}

/** Tells users what is kept but not acted upon, and refuses what keeping would be a lie about. Comes last: what is wrong otherwise is said first. */
export const unserved: AdmissionPlugin = {
  name: 'Unserved',
  handles: ({ operation, resource, subresource }) =>
    (operation === 'CREATE' || operation === 'UPDATE') &&
    TOLD.has(resource.resource) &&
    (subresource === undefined || (subresource === 'resize' && resource.resource === 'pods')),
  validate(at) {
    if (at.subresource === 'resize') {
      throw new StatusError(
        failure(
          501,
          'NotImplemented',
          `pods ${JSON.stringify(at.name ?? '')} cannot be resized: this release changes no container that runs. Change the template of its workload (kubectl set resources), which replaces its pods`,
          { name: at.name ?? '', group: '', kind: 'pods' },
        ),
      );
    }
    const kind = qualified(at.resource);
    if (kind === 'pods') {
      const ignored = at.operation === 'CREATE' ? ignoredOf(at.object as Pod) : undefined;
      if (ignored !== undefined) at.context.warnings.push(ignored);
      return;
    }
    const why = at.operation === 'CREATE' ? refusal(at) : undefined;
    if (why !== undefined) {
      const { group, resource } = at.resource;
      throw new StatusError(
        failure(501, 'NotImplemented', `${kind} ${JSON.stringify(at.name ?? '')} cannot be created: ${why}`, {
          name: at.name ?? '',
          group,
          kind: resource,
        }),
      );
    }
    const told = NOT_ACTED_UPON[kind];
    if (told === undefined || at.object?.metadata?.deletionTimestamp !== undefined) return;
    const warning = `${at.resource.kind} is kept, but not acted upon: ${told}`;
    if (!at.context.warnings.includes(warning)) at.context.warnings.push(warning);
  },
};

/** Names of the resources of this file without their groups: what most requests are told apart by. */
const TOLD: ReadonlySet<string> = new Set([
  ...Object.keys(NOT_ACTED_UPON).map((name) => name.slice(0, name.indexOf('.'))),
  'customresourcedefinitions',
  'apiservices',
  'pods',
]);
