/**
 * The bindings that a cluster starts with, recorded as the roles were:
 *
 *     clusterrolebinding NAME ROLE SUBJECT…
 *     rolebinding NAMESPACE NAME role/ROLE SUBJECT…
 *
 * The last lines are ours: a node that joins with a bootstrap token may ask for its certificate, as kubeadm's bindings allow it,
 * and anyone may read where the cluster is and whose authority signs for it.
 */
export const BINDING_TABLE = `
clusterrolebinding cluster-admin cluster-admin group:system:masters
clusterrolebinding system:basic-user system:basic-user group:system:authenticated
clusterrolebinding system:controller:attachdetach-controller system:controller:attachdetach-controller serviceaccount:kube-system:attachdetach-controller
clusterrolebinding system:controller:certificate-controller system:controller:certificate-controller serviceaccount:kube-system:certificate-controller
clusterrolebinding system:controller:clusterrole-aggregation-controller system:controller:clusterrole-aggregation-controller serviceaccount:kube-system:clusterrole-aggregation-controller
clusterrolebinding system:controller:cronjob-controller system:controller:cronjob-controller serviceaccount:kube-system:cronjob-controller
clusterrolebinding system:controller:daemon-set-controller system:controller:daemon-set-controller serviceaccount:kube-system:daemon-set-controller
clusterrolebinding system:controller:deployment-controller system:controller:deployment-controller serviceaccount:kube-system:deployment-controller
clusterrolebinding system:controller:device-taint-eviction-controller system:controller:device-taint-eviction-controller serviceaccount:kube-system:device-taint-eviction-controller
clusterrolebinding system:controller:disruption-controller system:controller:disruption-controller serviceaccount:kube-system:disruption-controller
clusterrolebinding system:controller:endpoint-controller system:controller:endpoint-controller serviceaccount:kube-system:endpoint-controller
clusterrolebinding system:controller:endpointslice-controller system:controller:endpointslice-controller serviceaccount:kube-system:endpointslice-controller
clusterrolebinding system:controller:endpointslicemirroring-controller system:controller:endpointslicemirroring-controller serviceaccount:kube-system:endpointslicemirroring-controller
clusterrolebinding system:controller:ephemeral-volume-controller system:controller:ephemeral-volume-controller serviceaccount:kube-system:ephemeral-volume-controller
clusterrolebinding system:controller:expand-controller system:controller:expand-controller serviceaccount:kube-system:expand-controller
clusterrolebinding system:controller:generic-garbage-collector system:controller:generic-garbage-collector serviceaccount:kube-system:generic-garbage-collector
clusterrolebinding system:controller:horizontal-pod-autoscaler system:controller:horizontal-pod-autoscaler serviceaccount:kube-system:horizontal-pod-autoscaler
clusterrolebinding system:controller:job-controller system:controller:job-controller serviceaccount:kube-system:job-controller
clusterrolebinding system:controller:legacy-service-account-token-cleaner system:controller:legacy-service-account-token-cleaner serviceaccount:kube-system:legacy-service-account-token-cleaner
clusterrolebinding system:controller:namespace-controller system:controller:namespace-controller serviceaccount:kube-system:namespace-controller
clusterrolebinding system:controller:node-controller system:controller:node-controller serviceaccount:kube-system:node-controller
clusterrolebinding system:controller:persistent-volume-binder system:controller:persistent-volume-binder serviceaccount:kube-system:persistent-volume-binder
clusterrolebinding system:controller:pod-garbage-collector system:controller:pod-garbage-collector serviceaccount:kube-system:pod-garbage-collector
clusterrolebinding system:controller:pv-protection-controller system:controller:pv-protection-controller serviceaccount:kube-system:pv-protection-controller
clusterrolebinding system:controller:pvc-protection-controller system:controller:pvc-protection-controller serviceaccount:kube-system:pvc-protection-controller
clusterrolebinding system:controller:replicaset-controller system:controller:replicaset-controller serviceaccount:kube-system:replicaset-controller
clusterrolebinding system:controller:replication-controller system:controller:replication-controller serviceaccount:kube-system:replication-controller
clusterrolebinding system:controller:resource-claim-controller system:controller:resource-claim-controller serviceaccount:kube-system:resource-claim-controller
clusterrolebinding system:controller:resourcequota-controller system:controller:resourcequota-controller serviceaccount:kube-system:resourcequota-controller
clusterrolebinding system:controller:root-ca-cert-publisher system:controller:root-ca-cert-publisher serviceaccount:kube-system:root-ca-cert-publisher
clusterrolebinding system:controller:route-controller system:controller:route-controller serviceaccount:kube-system:route-controller
clusterrolebinding system:controller:selinux-warning-controller system:controller:selinux-warning-controller serviceaccount:kube-system:selinux-warning-controller
clusterrolebinding system:controller:service-account-controller system:controller:service-account-controller serviceaccount:kube-system:service-account-controller
clusterrolebinding system:controller:service-cidrs-controller system:controller:service-cidrs-controller serviceaccount:kube-system:service-cidrs-controller
clusterrolebinding system:controller:service-controller system:controller:service-controller serviceaccount:kube-system:service-controller
clusterrolebinding system:controller:statefulset-controller system:controller:statefulset-controller serviceaccount:kube-system:statefulset-controller
clusterrolebinding system:controller:ttl-after-finished-controller system:controller:ttl-after-finished-controller serviceaccount:kube-system:ttl-after-finished-controller
clusterrolebinding system:controller:ttl-controller system:controller:ttl-controller serviceaccount:kube-system:ttl-controller
clusterrolebinding system:controller:validatingadmissionpolicy-status-controller system:controller:validatingadmissionpolicy-status-controller serviceaccount:kube-system:validatingadmissionpolicy-status-controller
clusterrolebinding system:controller:volumeattributesclass-protection-controller system:controller:volumeattributesclass-protection-controller serviceaccount:kube-system:volumeattributesclass-protection-controller
clusterrolebinding system:discovery system:discovery group:system:authenticated
clusterrolebinding system:kube-controller-manager system:kube-controller-manager user:system:kube-controller-manager
clusterrolebinding system:kube-dns system:kube-dns serviceaccount:kube-system:kube-dns
clusterrolebinding system:kube-scheduler system:kube-scheduler user:system:kube-scheduler
clusterrolebinding system:monitoring system:monitoring group:system:monitoring
clusterrolebinding system:node system:node
clusterrolebinding system:node-proxier system:node-proxier user:system:kube-proxy
clusterrolebinding system:public-info-viewer system:public-info-viewer group:system:authenticated group:system:unauthenticated
clusterrolebinding system:service-account-issuer-discovery system:service-account-issuer-discovery group:system:serviceaccounts
clusterrolebinding system:volume-scheduler system:volume-scheduler user:system:kube-scheduler
rolebinding kube-public system:controller:bootstrap-signer role/system:controller:bootstrap-signer serviceaccount:kube-system:bootstrap-signer
rolebinding kube-system system::extension-apiserver-authentication-reader role/extension-apiserver-authentication-reader user:system:kube-controller-manager user:system:kube-scheduler
rolebinding kube-system system::leader-locking-kube-controller-manager role/system::leader-locking-kube-controller-manager user:system:kube-controller-manager serviceaccount:kube-system:kube-controller-manager serviceaccount:kube-system:leader-election-controller
rolebinding kube-system system::leader-locking-kube-scheduler role/system::leader-locking-kube-scheduler user:system:kube-scheduler serviceaccount:kube-system:kube-scheduler
rolebinding kube-system system:controller:bootstrap-signer role/system:controller:bootstrap-signer serviceaccount:kube-system:bootstrap-signer
rolebinding kube-system system:controller:cloud-provider role/system:controller:cloud-provider serviceaccount:kube-system:cloud-provider
rolebinding kube-system system:controller:token-cleaner role/system:controller:token-cleaner serviceaccount:kube-system:token-cleaner
clusterrolebinding longshore:node-bootstrapper system:node-bootstrapper group:system:bootstrappers
clusterrolebinding longshore:approve-node-client system:certificates.k8s.io:certificatesigningrequests:nodeclient group:system:bootstrappers
clusterrolebinding longshore:approve-node-client-renewal system:certificates.k8s.io:certificatesigningrequests:selfnodeclient group:system:nodes
role kube-public longshore:cluster-info
  get core configmaps =cluster-info
rolebinding kube-public longshore:cluster-info role/longshore:cluster-info user:system:anonymous
`;
