/** Objects as the API server would give them, only as wide as policy needs. */
export interface ApiLabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: "In" | "NotIn" | "Exists" | "DoesNotExist"; values?: string[] }[];
}

export interface ApiPeer {
  podSelector?: ApiLabelSelector;
  namespaceSelector?: ApiLabelSelector;
  ipBlock?: { cidr: string; except?: string[] };
}

export interface ApiPort {
  protocol?: "TCP" | "UDP" | "SCTP";
  port?: number | string;
  endPort?: number;
}

export interface ApiPolicy {
  metadata: { namespace: string; name: string };
  spec: {
    podSelector: ApiLabelSelector;
    policyTypes?: ("Ingress" | "Egress")[];
    ingress?: { from?: ApiPeer[]; ports?: ApiPort[] }[];
    egress?: { to?: ApiPeer[]; ports?: ApiPort[] }[];
  };
}

export interface ApiNamespace {
  name: string;
  labels: Record<string, string>;
}

export interface ApiPod {
  namespace: string;
  name: string;
  labels: Record<string, string>;
  addresses: string[];
  ports: { name: string; protocol: "TCP" | "UDP" | "SCTP"; port: number }[];
  hostNetwork: boolean;
  finished: boolean;
}

export interface ApiCluster {
  namespaces: ApiNamespace[];
  pods: ApiPod[];
  policies: ApiPolicy[];
}
