/**
 * Every block of code in the documents that users of Terway have, by document and heading: what is typed on a cluster, what is edited into the
 * configuration, what is applied, and what is not run here, with its reason.
 */
export interface Block {
  readonly document: "FAQ" | "Common Issues" | "Use Terway (ACK)" | "Network Modes" | "Troubleshooting";
  readonly heading: string;
}

/** Typed where `kubectl` is, or on a node. `POD` is a pod of `apps`, `TERWAY_POD` one of the daemon's, `NODE` a node, `POLICY` a NetworkPolicy of `apps`. */
export interface Command extends Block {
  readonly run: string;
  /** What the output must show; absent: that the command succeeds is all that is asked. */
  readonly shows?: RegExp;
  readonly on?: "node";
}

const daemonPod = `TERWAY_POD=$(kubectl get pods -n kube-system -l app=terway -o jsonpath='{.items[0].metadata.name}')`;

export const commands: readonly Command[] = [
  { document: "FAQ", heading: "stuck in ContainerCreating", run: "kubectl logs -n kube-system -l app=terway", shows: /"msg"/ },
  { document: "FAQ", heading: "stuck in ContainerCreating", run: "kubectl describe pod $POD -n apps", shows: /AllocIPSucceed/ },
  { document: "FAQ", heading: "connectivity", run: "kubectl get pods -o wide -n apps", shows: /Running .* 10\./ },
  { document: "FAQ", heading: "connectivity", run: "kubectl exec -n kube-system $TERWAY_POD -- terway-cli list", shows: /resource_pool/ },
  {
    document: "Common Issues",
    heading: "CrashLoopBackOff",
    run: "kubectl get pods -n kube-system | grep terway",
    shows: /terway-eniip-\S+ +1\/1 +Running/,
  },
  {
    document: "Common Issues",
    heading: "Invalid Access Credentials",
    run: "kubectl logs -n kube-system $TERWAY_POD -c terway",
    shows: /"msg"/,
  },
  {
    document: "Common Issues",
    heading: "CNI Configuration Not Found",
    run: "ls -la /etc/cni/net.d/",
    on: "node",
    shows: /10-terway\.conflist/,
  },
  { document: "Common Issues", heading: "stuck in ContainerCreating", run: "kubectl get pods -n apps", shows: /1\/1 +Running/ },
  { document: "Common Issues", heading: "Check Pod Events", run: "kubectl describe pod $POD -n apps", shows: /AllocIPSucceed/ },
  {
    document: "Common Issues",
    heading: "Check Terway Logs",
    run: "kubectl logs -n kube-system -l app=terway -c terway --tail=100",
    shows: /"msg"/,
  },
  {
    document: "Common Issues",
    heading: "IP Allocation Timeouts",
    run: `${daemonPod}\nkubectl exec -n kube-system $TERWAY_POD -- terway-cli show resource_pool`,
    shows: /max_idle/,
  },
  {
    document: "Common Issues",
    heading: "Check Node Resource Limits",
    run: "kubectl exec -n kube-system $TERWAY_POD -- terway-cli show factory",
    shows: /eni_count/,
  },
  { document: "Common Issues", heading: "Check Network Policies", run: "kubectl get networkpolicies --all-namespaces", shows: /allow-dns/ },
  { document: "Common Issues", heading: "Check Network Policies", run: "kubectl describe networkpolicy $POLICY -n apps", shows: /53\/UDP/ },
  { document: "Common Issues", heading: "Check Route Tables", run: "ip route show table all", on: "node", shows: /cali/ },
  {
    document: "Common Issues",
    heading: "High Network Latency",
    run: "kubectl exec -n kube-system $TERWAY_POD -- terway-cli mapping",
    shows: /agree/,
  },
  {
    document: "Common Issues",
    heading: "Missing Metrics",
    run: "kubectl apply --dry-run=server -f helm/terway-metric.yml",
    shows: /service\/terway-metric/,
  },
  {
    document: "Common Issues",
    heading: "Log Collection",
    run: "ls /var/log/pods/*terway*/terway/*.log",
    on: "node",
    shows: /terway-eniip/,
  },
  { document: "Common Issues", heading: "Check Controlplane Status", run: "kubectl get pods -n kube-system -l app=terway-controlplane" },
  { document: "Common Issues", heading: "Check Controlplane Status", run: "kubectl logs -n kube-system -l app=terway-controlplane" },
  {
    document: "Common Issues",
    heading: "Manual Recovery",
    run: "kubectl annotate nodes --all terway.aliyun.com/reconcile=true",
    shows: /node-b annotated/,
  },
  {
    document: "Common Issues",
    heading: "Collect Diagnostic Information",
    run: [
      "kubectl get pods -n kube-system -o wide > $OUT/terway-pods.txt",
      "kubectl describe pods -n kube-system -l app=terway > $OUT/terway-describe.txt",
      "kubectl logs -n kube-system -l app=terway --tail=1000 > $OUT/terway-logs.txt",
      "kubectl get configmap eni-config -n kube-system -o yaml > $OUT/terway-config.yaml",
      "cat $OUT/*",
    ].join("\n"),
    shows: /vswitches/,
  },
  { document: "Common Issues", heading: "Check System Resources", run: "kubectl describe nodes", shows: /TerwayIsUp/ },
  { document: "Common Issues", heading: "Check System Resources", run: "df -h", on: "node" },
  { document: "Common Issues", heading: "Check System Resources", run: "dmesg | tail -50", on: "node" },
  {
    document: "Use Terway (ACK)",
    heading: "Increase the number of vSwitch IP addresses",
    run: "timeout 5 kubectl logs --tail=100 -f $TERWAY_POD -n kube-system -c terway || [ $? = 124 ]",
    shows: /"msg"/,
  },
  {
    document: "Use Terway (ACK)",
    heading: "Increase the number of vSwitch IP addresses",
    run: "kubectl get pod -n kube-system | grep terway",
    shows: /Running/,
  },
  {
    document: "Network Modes",
    heading: "Configuration Update Process",
    run: "kubectl get pods -n kube-system | grep terway",
    shows: /Running/,
  },
  {
    document: "Network Modes",
    heading: "Check Current Mode",
    run: "kubectl get configmap eni-config -n kube-system -o yaml",
    shows: /vswitches/,
  },
  {
    document: "Network Modes",
    heading: "Monitor Resource Usage",
    run: `${daemonPod}\nkubectl exec -n kube-system $TERWAY_POD -- terway-cli show factory`,
    shows: /eni_count/,
  },
  {
    document: "Network Modes",
    heading: "Monitor Resource Usage",
    run: "kubectl exec -n kube-system $TERWAY_POD -- terway-cli show resource_pool",
    shows: /max_idle/,
  },
  {
    document: "Troubleshooting",
    heading: "Cluster-level configuration",
    run: "./scripts/inspect-terway-cluster.sh",
    shows: /ipam_type +default/,
  },
  {
    document: "Troubleshooting",
    heading: "Node-level configuration",
    run: "./scripts/inspect-terway-node.sh $NODE",
    shows: /ENI mode +shared/,
  },
  {
    document: "Troubleshooting",
    heading: "Pod-level configuration",
    run: "./scripts/inspect-terway-pod.sh apps $POD",
    shows: /hostNetwork +false/,
  },
];

/** What `kubectl edit configmap eni-config -n kube-system` changes; the names of security group and vSwitches are this cluster's. */
export interface Edit extends Block {
  readonly conf: Readonly<Record<string, unknown>>;
}

/** All of them stand in `eni_conf`, one after the other: none takes anything of another back. */
export const edits: readonly Edit[] = [
  { document: "FAQ", heading: "optimize performance", conf: { max_pool_size: 10, min_pool_size: 2 } },
  { document: "Common Issues", heading: "Optimize Pool Configuration", conf: { max_pool_size: 10, min_pool_size: 3 } },
  {
    document: "Common Issues",
    heading: "Verify Degradation Configuration",
    conf: { degradation: { enable: true, l0_threshold: 10, l1_threshold: 5 } },
  },
  {
    document: "Use Terway (ACK)",
    heading: "Increase the number of vSwitch IP addresses",
    conf: { version: "1", max_pool_size: 25, min_pool_size: 10 },
  },
  { document: "Network Modes", heading: "ENI Multi-IP Mode", conf: { version: "1", max_pool_size: 5, min_pool_size: 0 } },
];

/** Blocks of `eni_conf` that decide how pods are connected; a running cluster takes them up with its next node, so here they only have to be understood. */
export const confBlocks: readonly Edit[] = [
  { document: "FAQ", heading: "optimize performance", conf: { enable_ebpf: true, eniip_virtual_type: "IPVlan" } },
  { document: "FAQ", heading: "IPv6", conf: { ip_stack: "dual", ipv6: true } },
  { document: "Common Issues", heading: "Enable Datapath v2", conf: { enable_datapath_v2: true } },
  {
    document: "Network Modes",
    heading: "Trunking Mode",
    conf: { version: "1", trunk_on: true, security_group: "sg-default", service_cidr: "10.96.0.0/12" },
  },
];

/** Blocks of `10-terway.conf`. */
export const cniBlocks: readonly Edit[] = [
  {
    document: "Network Modes",
    heading: "ENI Multi-IP Mode",
    conf: { cniVersion: "0.4.0", name: "terway", type: "terway", eniip_virtual_type: "IPVlan" },
  },
  { document: "Network Modes", heading: "Policy Routing Mode", conf: { type: "terway", eniip_virtual_type: "PolicyRoute" } },
  {
    document: "Network Modes",
    heading: "Trunking Mode",
    conf: { cniVersion: "0.4.0", name: "terway", type: "terway", eniip_virtual_type: "IPVlan", trunk_on: true },
  },
];

/** What is applied. Pods of images that no registry here has are only shown to the server. */
export interface Manifest extends Block {
  readonly object: { readonly apiVersion: string; readonly kind: string; readonly metadata: object } & Readonly<Record<string, unknown>>;
}

const policyOf = (name: string, spec: object) => ({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name }, spec });
const trunkOf = (name: string) => ({
  "k8s.aliyun.com/trunk-on": "true",
  "k8s.aliyun.com/security-group-id": `sg-${name}`,
});

export const manifests: readonly Manifest[] = [
  {
    document: "FAQ",
    heading: "custom security groups",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "custom", annotations: trunkOf("custom123") },
      spec: { containers: [{ name: "app", image: "nginx" }] },
    },
  },
  {
    document: "FAQ",
    heading: "communication between namespaces",
    object: policyOf("deny-cross-namespace", {
      podSelector: {},
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { name: "production" } } }] }],
    }),
  },
  {
    document: "Common Issues",
    heading: "Update Network Policies",
    object: policyOf("allow-pod-communication", {
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ podSelector: {} }] }],
      egress: [{ to: [{ podSelector: {} }] }],
    }),
  },
  {
    document: "Common Issues",
    heading: "Check Network Policy for DNS",
    object: policyOf("allow-dns", {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{ to: [], ports: [{ protocol: "UDP", port: 53 }] }],
    }),
  },
  {
    document: "Network Modes",
    heading: "Pod Annotations",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "custom-network-pod",
        annotations: { ...trunkOf("custom123"), "k8s.aliyun.com/vswitch-id": "vsw-custom456", "k8s.aliyun.com/pod-ip": "192.168.1.100" },
      },
      spec: { containers: [{ name: "app", image: "nginx" }] },
    },
  },
  {
    document: "Network Modes",
    heading: "Namespace-level Configuration",
    object: {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "secure-namespace", annotations: { ...trunkOf("secure123"), "k8s.aliyun.com/vswitch-id": "vsw-secure456" } },
    },
  },
];

/** Actions of the RAM policy that "Insufficient RAM Permissions" (Common Issues) shows. */
export const ramActions = [
  "ecs:CreateNetworkInterface",
  "ecs:DescribeNetworkInterfaces",
  "ecs:AttachNetworkInterface",
  "ecs:DetachNetworkInterface",
  "ecs:DeleteNetworkInterface",
] as const;

/** The label and value by which the Prometheus configuration of "Configure Prometheus Scraping" (Common Issues) keeps pods. */
export const scrapedBy = { app: "terway" } as const;

/** Run elsewhere, or nowhere. */
export const omitted: readonly (Block & { readonly block: string; readonly because: string })[] = [
  {
    document: "FAQ",
    heading: "stuck in ContainerCreating",
    block: "journalctl -u kubelet | grep CNI",
    because: "the lab's nodes have no systemd; the kubelet's log is a file",
  },
  {
    document: "FAQ",
    heading: "connectivity",
    block: "kubectl exec pod1 -- ping <pod2-ip>",
    because: "the lab's image has no ping; probes of every path stand in pods.test.ts",
  },
  {
    document: "Common Issues",
    heading: "Invalid Access Credentials",
    block: "kubectl edit configmap: access_key, access_secret",
    because:
      "by the chart the AccessKey stands in a Secret, and is refused in the ConfigMap (chart/render.test.ts); the file's keys: test/daemon/refusal.test.ts",
  },
  {
    document: "Common Issues",
    heading: "Invalid Security Group or vSwitch",
    block: "kubectl edit configmap: security_group, vswitches",
    because: "describe.test.ts breaks and mends them",
  },
  {
    document: "Common Issues",
    heading: "CNI Configuration Not Found",
    block: "cat /etc/cni/net.d/10-terway.conf",
    because: "the file is 10-terway.conflist: a .conf cannot carry the capabilities of a chain",
  },
  {
    document: "Common Issues",
    heading: "CNI Configuration Not Found",
    block: "kubectl delete pods -n kube-system -l app=terway",
    because: "documents.test deletes them once for this and two other places",
  },
  {
    document: "Common Issues",
    heading: "Check CNI Logs",
    block: "journalctl -u kubelet | grep CNI | tail -20",
    because: "the lab's nodes have no systemd",
  },
  {
    document: "Common Issues",
    heading: "Pod-to-Pod Communication Failures",
    block: "kubectl exec pod1 -- ping <pod2-ip>",
    because: "the lab's image has no ping",
  },
  {
    document: "Common Issues",
    heading: "Service Discovery Failures",
    block: "nslookup; kubectl get pods | grep coredns; kubectl logs <coredns-pod>",
    because: "the lab's clusters run no name service; upstream's suite proves DNS (npm run test:e2e)",
  },
  {
    document: "Common Issues",
    heading: "Verify Service CIDR Configuration",
    block: "kubectl edit configmap: service_cidr",
    because: "the chart is installed with it (chart/cluster.test.ts)",
  },
  {
    document: "Common Issues",
    heading: "High Network Latency",
    block: "kubectl exec pod1 -- ping pod2-ip",
    because: "the lab's image has no ping; npm run bench -- path measures latency",
  },
  {
    document: "Common Issues",
    heading: "Low Network Throughput",
    block: "kubectl exec client -- iperf3 -c server-ip",
    because: "npm run bench -- path measures throughput with iperf3",
  },
  {
    document: "Common Issues",
    heading: "Tune Network Settings",
    block: "sysctl -p",
    because: "net.core.rmem_max belongs to the whole machine, which the lab does not own",
  },
  {
    document: "Common Issues",
    heading: "Increase Log Verbosity",
    block: "kubectl edit daemonset terway: LOG_LEVEL",
    because: "the DaemonSet is terway-eniip; the chart has logLevel, set in chart/cluster.test.ts's upgrade",
  },
  {
    document: "Common Issues",
    heading: "Check System Resources",
    block: "kubectl top nodes",
    because: "the lab's clusters run no metrics server",
  },
  {
    document: "Use Terway (ACK)",
    heading: "Increase the number of vSwitch IP addresses",
    block: "kubectl delete pod -l app=terway-eniip, -l app=terway-eni",
    because: "the value selectorLabel decides between the labels (chart/render.test.ts); here it is terway",
  },
  {
    document: "Network Modes",
    heading: "Configuration Update Process",
    block: "kubectl apply -f test-trunking-pod.yaml",
    because: "the document does not show the file",
  },
  {
    document: "Network Modes",
    heading: "Check Current Mode",
    block: "cat /etc/cni/net.d/10-terway.conf",
    because: "the file is 10-terway.conflist",
  },
];
