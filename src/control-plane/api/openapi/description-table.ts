/**
 * What `kubectl explain` says of the fields that people ask about most, in our
 * own words. A line at the margin names a type, below `io.k8s.api.` (or, for
 * meta.v1, below apimachinery's), with a sentence about it; a line that is set
 * in names one of its fields. Loaded when a document is first made.
 */
export const TEXT = `
meta.v1.ObjectMeta Who an object is, and what has been noted about it
  name: Tells the object from the others of its kind in its namespace; can't be changed later
  generateName: Beginning of a name that the server completes with random letters, where no name is given
  namespace: The part of the cluster that the object lives in; empty for kinds that belong to the whole cluster
  labels: Short marks to select objects by
  annotations: Notes of any length for people and tools; nothing selects by them
  uid: Made by the server; never used again, even for another object of the same name
  resourceVersion: Changes with every write; send it back to make sure that nobody wrote in between
  generation: Counts the changes of what is wanted; a status that has seen them says so by this number
  creationTimestamp: When the server took the object in
  deletionTimestamp: When deletion was asked for, plus the grace; set by the server, and never taken back
  deletionGracePeriodSeconds: Seconds that the object was given to end in order
  finalizers: Who still has to clean up before the object may go; it stays until the list is empty
  ownerReferences: Objects that this one belongs to; when the last of them goes, so does this one
  managedFields: Which tool set which field; kept by the server for server-side apply
meta.v1.OwnerReference An owner, in the same namespace or of the whole cluster
  controller: True for the one owner that manages the object
  blockOwnerDeletion: With foreground deletion, the owner waits for this object
meta.v1.ListMeta What holds for a list as a whole
  resourceVersion: The state of the cluster that the list shows; a watch can go on from here
  continue: Asks for the next page, where the list was cut
  remainingItemCount: How many objects are beyond this page, where that is known
meta.v1.LabelSelector Picks objects by their labels; all conditions must hold, and an empty one picks everything
  matchLabels: Labels with the values that they must have
  matchExpressions: Conditions of other kinds
meta.v1.LabelSelectorRequirement One condition on a label
  key: The label
  operator: In, NotIn, Exists or DoesNotExist
  values: What In and NotIn compare with; empty for the others
core.v1.Pod Containers that run together on one node, and share its network and their volumes
  spec: What should run
  status: What the node says about it; written by the platform
core.v1.PodTemplateSpec The pods that a controller makes
  metadata: Labels and annotations that each of the pods gets
  spec: What each of the pods runs
core.v1.PodSpec What a pod runs, where, and how
  containers: Programs that run for as long as the pod does; at least one
  initContainers: Programs that run before the others, one after the other; with restartPolicy Always one stays on as a side-car
  ephemeralContainers: Containers that were added to the running pod to look into it, as by kubectl debug
  volumes: Storage that the containers can mount
  restartPolicy: Whether ended containers start again: Always, OnFailure or Never
  terminationGracePeriodSeconds: Seconds between the signal to end and the kill; 30 unless set
  activeDeadlineSeconds: The pod fails when it is active for longer than this
  nodeName: The node that runs the pod; set by the scheduler, and set here it goes around it
  nodeSelector: Labels that the node must have
  affinity: Rules, firm or wished for, about nodes and about other pods near by
  tolerations: Taints of nodes that the pod puts up with
  topologySpreadConstraints: How evenly pods are spread over zones, nodes or other domains
  schedulerName: Which scheduler places the pod
  schedulingGates: The pod is not scheduled before these are taken away
  priorityClassName: Name of a PriorityClass: how important the pod is
  priority: The number behind the class; filled in by the server
  preemptionPolicy: Whether the pod may push less important ones off a node
  serviceAccountName: The account as which the pod speaks to the API; default unless set
  automountServiceAccountToken: False keeps the account's token out of the containers
  imagePullSecrets: Secrets with the passwords of registries
  hostNetwork: True: the pod uses the network of its node, and its ports
  hostPID: True: the containers see the processes of the node
  hostIPC: True: the containers share memory and semaphores with the node
  shareProcessNamespace: True: the containers see each other's processes
  hostname: The name that the pod's containers find themselves under
  subdomain: Name of a headless Service by which the hostname can be looked up
  hostAliases: More lines for /etc/hosts
  dnsPolicy: Where names are looked up: ClusterFirst, Default, ClusterFirstWithHostNet or None
  dnsConfig: Name servers, search domains and options beside those of the policy
  enableServiceLinks: Whether variables tell of the Services of the namespace
  readinessGates: Conditions beside the containers' that make the pod ready
  runtimeClassName: Another way to run the containers, as a RuntimeClass names it
  securityContext: Users, groups and kernel settings for all containers
  overhead: What the runtime itself takes; filled in from the RuntimeClass
core.v1.PodStatus How a pod is doing
  phase: In one word: Pending, Running, Succeeded, Failed or Unknown
  conditions: Steps on the way: PodScheduled, Initialized, ContainersReady, Ready
  reason: Why the pod is as it is, in one word
  message: The same in a sentence
  podIP: The pod's address in the cluster
  podIPs: All of its addresses
  hostIP: Address of the node
  startTime: When the node took the pod on
  containerStatuses: Each container's state
  initContainerStatuses: Each init container's state
  qosClass: Guaranteed, Burstable or BestEffort, by what the containers ask for
core.v1.ContainerStatus How a container is doing
  name: Which one
  state: waiting, running or terminated, with what is known about it
  lastState: How the run before this one ended
  ready: Whether it takes requests
  restartCount: How often it was started again
  started: Whether its startup probe has passed
  image: What it runs
  imageID: The very content that it runs
core.v1.Container A program in its image, with all that it gets
  name: Unique in the pod
  image: The image that holds the program, as in nginx:1.27 or registry.example.com/team/app@sha256:…
  imagePullPolicy: When the image is fetched: Always, IfNotPresent or Never
  command: The program, in place of the image's entrypoint; not run through a shell
  args: Arguments, in place of the image's
  workingDir: Folder that the program starts in
  env: Environment variables
  envFrom: Takes all keys of ConfigMaps or Secrets as variables
  ports: Ports that the program listens on; for information, and for names that Services can use
  resources: What the container may use at most, and is sure to get
  volumeMounts: Which volumes appear where
  volumeDevices: Which block devices appear where
  livenessProbe: When this fails, the container is started anew
  readinessProbe: While this fails, Services send nothing here
  startupProbe: The other probes wait until this has passed
  lifecycle: What is done after the start, and before the end
  restartPolicy: For init containers: Always makes a side-car of it
  securityContext: Its user, rights and capabilities, where they differ from the pod's
  terminationMessagePath: File of the container with its last words
  terminationMessagePolicy: Whether the end of the log stands in for last words: File or FallbackToLogsOnError
  stdin: Keeps standard input open, for attach
  stdinOnce: Closes standard input when the first who attached leaves
  tty: Gives it a terminal; needs stdin
core.v1.ContainerPort A port that a container listens on
  containerPort: Its number
  name: By which Services and probes can call it
  protocol: TCP, UDP or SCTP
  hostPort: Opens it on the node, too
  hostIP: On which of the node's addresses
core.v1.EnvVar An environment variable
  name: Its name
  value: Its value; $(OTHER) stands for a variable before it
  valueFrom: Takes the value from elsewhere
core.v1.EnvVarSource Where the value of a variable comes from; one of these
  configMapKeyRef: A key of a ConfigMap
  secretKeyRef: A key of a Secret
  fieldRef: A field of the pod itself, as in status.podIP
  resourceFieldRef: A request or limit of a container
core.v1.EnvFromSource A ConfigMap or Secret whose keys become variables
  prefix: Put before each name
  configMapRef: The ConfigMap
  secretRef: The Secret
core.v1.ResourceRequirements Requests decide where a pod fits; limits are enforced while it runs
  requests: What is set aside, as in cpu: 250m and memory: 64Mi; as the limits, where left out
  limits: Beyond, processor time is throttled, and memory ends the container
  claims: Devices of the pod's resourceClaims that this container uses
core.v1.Probe A check that is repeated
  httpGet: Good is an answer between 200 and 399
  tcpSocket: Good is a connection that opens
  exec: Good is a command that ends with 0
  grpc: Good is SERVING from the gRPC health service
  initialDelaySeconds: Seconds from the start of the container to the first check
  periodSeconds: Seconds between checks; 10 unless set
  timeoutSeconds: Seconds after which no answer is a failure; 1 unless set
  successThreshold: Passes in a row after a failure that count as good again
  failureThreshold: Failures in a row that count; 3 unless set
  terminationGracePeriodSeconds: Grace of the pod, for the end that this probe brings about
core.v1.HTTPGetAction A request by HTTP
  path: What is asked for
  port: Number, or name of a port of the container
  host: Where, if not at the pod's own address
  scheme: HTTP or HTTPS; certificates are not checked
  httpHeaders: Headers to send along
core.v1.Lifecycle What happens around the life of a container
  postStart: Right after the start; when it fails, the container is ended
  preStop: Before the signal to end, and within the grace
core.v1.SecurityContext Rights of one container; each field wins over the pod's
  runAsUser: Number of the user
  runAsGroup: Number of the group
  runAsNonRoot: Refuses to start as user 0
  privileged: Gives all rights of root on the node
  allowPrivilegeEscalation: False: no program gets more rights than its parent has
  readOnlyRootFilesystem: True: only volumes can be written
  capabilities: Rights of root, one by one
  seccompProfile: Which system calls are let through
  procMount: How much of /proc is hidden
core.v1.Capabilities Rights of root that are given or taken away, without CAP_ in front
  add: To be given
  drop: To be taken; ALL takes every one
core.v1.PodSecurityContext Rights of all containers of a pod
  runAsUser: Number of the user
  runAsGroup: Number of the group
  runAsNonRoot: Refuses to start containers as user 0
  fsGroup: Group that owns the volumes, where their kind allows
  supplementalGroups: More groups for the first process
  sysctls: Kernel settings of the pod's own namespaces
  seccompProfile: Which system calls are let through
core.v1.Volume Storage of a pod; a name, and one source
  name: By which containers mount it
  emptyDir: A folder that begins empty and goes with the pod
  hostPath: A file or folder of the node; gives away much, so prefer others
  configMap: The keys of a ConfigMap as files
  secret: The keys of a Secret as files
  projected: Several sources in one folder
  downwardAPI: Fields of the pod as files
  persistentVolumeClaim: Storage that outlives the pod
  ephemeral: A claim that is made for this pod and goes with it
  csi: Storage by a driver, for this pod alone
core.v1.VolumeMount Where a volume appears in a container
  name: Of the volume
  mountPath: Where, in the container
  subPath: A file or folder of the volume instead of all of it; does not follow updates
  subPathExpr: The same, with $(VARIABLES) in it
  readOnly: True: the container can't write
  mountPropagation: Whether later mounts are seen: None, HostToContainer or Bidirectional
core.v1.EmptyDirVolumeSource A folder that lives as long as the pod
  medium: Memory puts it into RAM, where it counts against the containers' limits
  sizeLimit: How large it may get
core.v1.HostPathVolumeSource A path of the node
  path: On the node
  type: What must be there, or is made: DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice, BlockDevice
core.v1.ConfigMapVolumeSource A ConfigMap as files, which follow its changes
  name: Of the ConfigMap
  items: Only these keys, at these paths
  defaultMode: Permissions of the files; 0644 unless set
  optional: True: the pod starts without it
core.v1.SecretVolumeSource A Secret as files, kept in memory, which follow its changes
  secretName: Of the Secret
  items: Only these keys, at these paths
  defaultMode: Permissions of the files; 0644 unless set
  optional: True: the pod starts without it
core.v1.PersistentVolumeClaimVolumeSource A claim of the same namespace
  claimName: Its name
  readOnly: True: nothing can be written through this volume
core.v1.Toleration Lets a pod onto nodes with a taint
  key: Of the taint; empty with Exists means every taint
  operator: Exists, or Equal to compare the value
  value: Of the taint
  effect: NoSchedule, PreferNoSchedule or NoExecute; empty means all
  tolerationSeconds: With NoExecute: how long the pod stays once the taint is there
core.v1.Affinity Wishes and demands about where a pod runs
  nodeAffinity: By labels of nodes
  podAffinity: Near pods with certain labels
  podAntiAffinity: Away from pods with certain labels
core.v1.TopologySpreadConstraint One rule of spreading
  maxSkew: How much fuller one domain may be than the emptiest
  topologyKey: Label of nodes whose values are the domains
  whenUnsatisfiable: DoNotSchedule, or ScheduleAnyway to see it as a wish
  labelSelector: Which pods are counted
core.v1.Service A name and an address for pods that change
  spec: Which pods, and how they are reached
  status: What a load balancer gave
core.v1.ServiceSpec Which pods are reached, and how
  selector: Labels of the pods; without it somebody else writes the endpoints
  ports: What is forwarded
  type: ClusterIP within the cluster, NodePort on every node as well, LoadBalancer from outside, ExternalName as an alias
  clusterIP: The address in the cluster; None makes the name lead to the pods themselves
  clusterIPs: All such addresses
  externalIPs: More addresses on which nodes take traffic for it
  externalName: The name that an ExternalName leads to
  externalTrafficPolicy: Local keeps the client's address and stays on the node; Cluster spreads to all
  internalTrafficPolicy: Local reaches only pods on the client's node
  sessionAffinity: ClientIP sends one client to the same pod again
  publishNotReadyAddresses: True: pods that aren't ready are found, too
  loadBalancerSourceRanges: Who may come in through the load balancer
  ipFamilies: IPv4, IPv6, or both in order
  ipFamilyPolicy: SingleStack, PreferDualStack or RequireDualStack
core.v1.ServicePort One port of a Service
  name: Needed when there are several
  port: Where the Service takes connections
  targetPort: Number or name of the pods' port; as port, unless set
  nodePort: Port on every node; chosen by the server unless set
  protocol: TCP, UDP or SCTP
  appProtocol: What is spoken, for load balancers
core.v1.ConfigMap Settings for programs, which pods take as variables or files
  data: Texts by key
  binaryData: Bytes by key, in base64
  immutable: True: can't be changed any more, only deleted
core.v1.Secret Passwords, tokens and keys, which pods take as variables or files
  data: Values by key, in base64
  stringData: Values in plain text; written into data, and never shown
  type: What it holds, as in Opaque or kubernetes.io/tls
  immutable: True: can't be changed any more, only deleted
core.v1.ServiceAccount As whom the programs of a pod speak to the API
  imagePullSecrets: For pods with this account that name none
  automountServiceAccountToken: False: its pods get no token unless they ask
  secrets: Secrets that belong to it
core.v1.Namespace A part of the cluster with names of its own
core.v1.Node A machine that runs pods
core.v1.NodeSpec What is decided about a node
  unschedulable: True: no new pods; set by kubectl cordon
  taints: Keep away pods that don't tolerate them
  podCIDR: Range of its pods' addresses
  providerID: How the cloud calls it
core.v1.NodeStatus How a node is doing
  capacity: What the machine has
  allocatable: What of that pods can have
  conditions: Ready, and what is short: MemoryPressure, DiskPressure, PIDPressure
  addresses: Under which it is reached
  nodeInfo: Versions of its kernel, system and agent
  images: Images that are there already
core.v1.Taint Keeps pods away from a node
  key: Its name
  value: A value to go with it
  effect: NoSchedule, PreferNoSchedule, or NoExecute, which drives running pods away as well
core.v1.PersistentVolumeClaim A pod's wish for storage that lasts
  spec: What is wanted
  status: Whether it was found
core.v1.PersistentVolumeClaimSpec The storage that is wanted
  accessModes: ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod
  resources: How much, as requests.storage
  storageClassName: Which kind; empty text means none, left out means the default
  volumeName: The very volume; set when it is bound
  volumeMode: Filesystem or Block
  selector: Labels of the volume
  dataSource: A snapshot or claim to begin as a copy of
core.v1.PersistentVolume A piece of storage in the cluster
core.v1.PersistentVolumeSpec What a piece of storage is
  capacity: How much it holds
  accessModes: How it can be mounted
  claimRef: The claim that has it
  persistentVolumeReclaimPolicy: When its claim goes: Delete, or Retain
  storageClassName: The class whose claims may have it
  nodeAffinity: Which nodes reach it
core.v1.Event Something that happened to an object; forgotten after a while
  reason: In one word
  message: In a sentence
  type: Normal or Warning
  count: How often
  involvedObject: To whom
core.v1.ResourceQuotaSpec How much a namespace may use in all
  hard: The bound of each resource, as in pods: 10 or requests.cpu: 4
  scopes: Counts only objects of these kinds
apps.v1.Deployment Keeps a number of like pods running, and replaces them step by step when the template changes
  spec: What is wanted
  status: How far it got
apps.v1.DeploymentSpec The pods that are wanted, and how they are replaced
  replicas: How many pods; 1 unless set
  selector: Labels of its pods; must fit those of the template, and can't be changed
  template: The pods
  strategy: How old pods give way to new ones
  minReadySeconds: Seconds that a new pod must be ready before it counts
  revisionHistoryLimit: How many old templates are kept to go back to; 10 unless set
  progressDeadlineSeconds: Seconds without progress after which the roll-out counts as stuck; 600 unless set
  paused: True: changes of the template wait
apps.v1.DeploymentStrategy How pods are replaced
  type: RollingUpdate, or Recreate to end all before the first new one
  rollingUpdate: How many at a time
apps.v1.RollingUpdateDeployment The pace of a rolling update; numbers, or parts as in 25%
  maxSurge: How many pods there may be beyond the number
  maxUnavailable: How many pods may be missing meanwhile
apps.v1.DeploymentStatus How far a Deployment got
  replicas: Pods that there are, old and new
  updatedReplicas: Of these, with the newest template
  readyReplicas: Of these, ready
  availableReplicas: Of these, ready for long enough
  unavailableReplicas: How many are missing
  observedGeneration: The change up to which this holds
apps.v1.ReplicaSet Keeps a number of like pods running; mostly made by a Deployment
apps.v1.ReplicaSetSpec The pods that are wanted
  replicas: How many pods
  selector: Labels of its pods
  template: The pods
apps.v1.StatefulSet Keeps pods with lasting names and storage of their own, started in order
apps.v1.StatefulSetSpec The pods that are wanted, with their storage
  replicas: How many pods, numbered from 0
  selector: Labels of its pods
  serviceName: Headless Service under which each pod has a name of its own
  template: The pods
  volumeClaimTemplates: Claims that each pod gets for itself
  podManagementPolicy: OrderedReady, one after the other, or Parallel
  updateStrategy: RollingUpdate, from the last pod to the first, or OnDelete
  persistentVolumeClaimRetentionPolicy: Whether claims go when the set does, or when it shrinks
apps.v1.DaemonSet Runs one pod on every node that fits
apps.v1.DaemonSetSpec The pod of each node
  selector: Labels of its pods
  template: The pod
  updateStrategy: RollingUpdate, node by node, or OnDelete
batch.v1.Job Runs pods until enough of them have succeeded
batch.v1.JobSpec What is to be done, and how often it may fail
  template: The pods; restartPolicy must be Never or OnFailure
  completions: How many must succeed
  parallelism: How many run at once
  backoffLimit: How many failures before the job gives up; 6 unless set
  activeDeadlineSeconds: The job fails when it takes longer
  ttlSecondsAfterFinished: Seconds after its end at which it is deleted; left out, it stays
  completionMode: Indexed gives every pod a number
  suspend: True: no pods run
  podFailurePolicy: Which failures count, and which end the job at once
batch.v1.CronJob Makes a Job again and again, by the clock
batch.v1.CronJobSpec When, and what
  schedule: Minute, hour, day, month and weekday, as in cron: */5 * * * *
  timeZone: Whose clock, as in Europe/Berlin; the cluster's unless set
  jobTemplate: The job
  concurrencyPolicy: While the last one runs: Allow, Forbid the next, or Replace it
  suspend: True: none is started
  startingDeadlineSeconds: How late one may start; later ones are left out
  successfulJobsHistoryLimit: How many that went well are kept; 3 unless set
  failedJobsHistoryLimit: How many that failed are kept; 1 unless set
networking.k8s.io.v1.Ingress Leads requests of HTTP from outside to Services, by host and path
networking.k8s.io.v1.IngressSpec Which requests go where
  ingressClassName: Which controller does it
  rules: By host
  defaultBackend: For what no rule fits
  tls: Certificates, as Secrets, and the hosts that they are for
networking.k8s.io.v1.IngressRule Rules of one host
  host: Its name; *.example.com stands for one more part
  http: Where its paths lead
networking.k8s.io.v1.HTTPIngressPath Where a path leads
  path: Of the request
  pathType: Exact, Prefix part by part, or as the controller sees it
  backend: The Service
networking.k8s.io.v1.NetworkPolicySpec Who may speak with the pods of a namespace; what no policy selects is open
  podSelector: The pods that it protects
  ingress: Who may reach them; nobody, where it is empty
  egress: Whom they may reach
  policyTypes: Ingress, Egress or both
rbac.authorization.k8s.io.v1.Role Rights in one namespace
  rules: Each gives some verbs on some resources
rbac.authorization.k8s.io.v1.ClusterRole Rights in the whole cluster, or in whatever namespace it is bound
  rules: Each gives some verbs on some resources
  aggregationRule: Takes the rules of all ClusterRoles with these labels
rbac.authorization.k8s.io.v1.PolicyRule One set of rights; only ever adds
  verbs: What may be done: get, list, watch, create, update, patch, delete, or * for all
  apiGroups: Groups of the resources; empty text is the core's
  resources: Which resources, as in pods or pods/log
  resourceNames: Only objects with these names
  nonResourceURLs: Paths that are no resources, for ClusterRoles
rbac.authorization.k8s.io.v1.RoleBinding Gives a role to somebody, in one namespace
  roleRef: The role; can't be changed later
  subjects: Who gets it
rbac.authorization.k8s.io.v1.ClusterRoleBinding Gives a ClusterRole to somebody, everywhere
  roleRef: The role; can't be changed later
  subjects: Who gets it
rbac.authorization.k8s.io.v1.RoleRef A role
  kind: Role or ClusterRole
  name: Its name
rbac.authorization.k8s.io.v1.Subject Somebody who has rights
  kind: User, Group or ServiceAccount
  name: Their name
  namespace: Of a ServiceAccount
autoscaling.v2.HorizontalPodAutoscaler Changes the number of pods by what they use
autoscaling.v2.HorizontalPodAutoscalerSpec What is scaled, by what, and how far
  scaleTargetRef: The Deployment, StatefulSet or other
  minReplicas: Never fewer; 1 unless set
  maxReplicas: Never more
  metrics: What is measured, and its aim; the one that wants most pods wins
  behavior: How fast it goes up and down
policy.v1.PodDisruptionBudget How many pods may be away at a time on purpose, as when a node is drained
policy.v1.PodDisruptionBudgetSpec The bound, as a number or a part; one of the two
  selector: The pods that are counted
  minAvailable: So many must stay
  maxUnavailable: So many may be away
storage.k8s.io.v1.StorageClass A kind of storage that claims can ask for
  provisioner: Who makes the volumes
  parameters: What it is told
  reclaimPolicy: Delete or Retain, when the claim goes
  volumeBindingMode: Immediate, or WaitForFirstConsumer to know the node first
  allowVolumeExpansion: Whether claims can grow
discovery.k8s.io.v1.EndpointSlice Addresses behind a Service, or some of them
  addressType: IPv4, IPv6 or FQDN
  endpoints: The addresses, each with its conditions
  ports: The ports that all of them have
`;
