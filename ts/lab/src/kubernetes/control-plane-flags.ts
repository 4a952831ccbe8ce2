import { join } from "node:path";
import type { Certificate } from "./authority.ts";

/** etcd is reached by the API server beside it, and by nobody else. */
const etcdClientUrl = "http://127.0.0.1:2379";
const etcdPeerUrl = "http://127.0.0.1:2380";

/** Without syncing: what is lost with the machine is a lab. */
export function etcdFlags(data: string): string[] {
  return [
    "--name=lab",
    `--data-dir=${data}`,
    `--listen-client-urls=${etcdClientUrl}`,
    `--advertise-client-urls=${etcdClientUrl}`,
    `--listen-peer-urls=${etcdPeerUrl}`,
    `--initial-advertise-peer-urls=${etcdPeerUrl}`,
    `--initial-cluster=lab=${etcdPeerUrl}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

export interface ApiServerPlan {
  readonly address: string;
  readonly port: number;
  readonly ca: string;
  readonly serving: Certificate;
  /** With which it calls kubelets, for logs and exec. */
  readonly kubelets: Certificate;
  readonly tokens: { readonly signing: string; readonly verifying: string };
  readonly serviceCidrs: readonly string[];
  /** Policy and file of the log of requests. */
  readonly audit: { readonly policy: string; readonly log: string };
}

/** Authorization and admission as on a cluster of kubeadm: what a node may not do there it may not do here. */
export function apiServerFlags({ address, port, ca, serving, kubelets, tokens, serviceCidrs, audit }: ApiServerPlan): string[] {
  return [
    `--etcd-servers=${etcdClientUrl}`,
    `--advertise-address=${address}`,
    "--bind-address=0.0.0.0",
    `--secure-port=${port}`,
    `--service-cluster-ip-range=${serviceCidrs.join(",")}`,
    "--allow-privileged=true",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    // No kube-proxy runs beside it, as beside a managed one: webhooks are reached at their endpoints, not at their Service's address.
    "--enable-aggregator-routing=true",
    `--client-ca-file=${ca}`,
    `--tls-cert-file=${serving.certificate}`,
    `--tls-private-key-file=${serving.key}`,
    `--kubelet-certificate-authority=${ca}`,
    `--kubelet-client-certificate=${kubelets.certificate}`,
    `--kubelet-client-key=${kubelets.key}`,
    "--kubelet-preferred-address-types=InternalIP",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${tokens.verifying}`,
    `--service-account-signing-key-file=${tokens.signing}`,
    `--audit-policy-file=${audit.policy}`,
    `--audit-log-path=${audit.log}`,
  ];
}

export interface ControllerPlan {
  readonly kubeconfig: string;
  /** Directory of the authority's files. */
  readonly pki: string;
  readonly serviceCidrs: readonly string[];
}

export function controllerManagerFlags({ kubeconfig, pki, serviceCidrs }: ControllerPlan): string[] {
  return [
    ...clientFlags(kubeconfig),
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${join(pki, "tokens.key")}`,
    `--root-ca-file=${join(pki, "ca.crt")}`,
    `--cluster-signing-cert-file=${join(pki, "ca.crt")}`,
    `--cluster-signing-key-file=${join(pki, "ca.key")}`,
    // Pods' addresses are the VPC's; no node owns a range of them.
    "--allocate-node-cidrs=false",
    `--service-cluster-ip-range=${serviceCidrs.join(",")}`,
  ];
}

export function schedulerFlags(kubeconfig: string): string[] {
  return clientFlags(kubeconfig);
}

/** There is one of each, and nobody to wait for. */
function clientFlags(kubeconfig: string): string[] {
  const files = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"].map((flag) => `--${flag}=${kubeconfig}`);
  return [...files, "--bind-address=127.0.0.1", "--leader-elect=false"];
}
