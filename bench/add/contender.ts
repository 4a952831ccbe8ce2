import type { Call } from "../driver.ts";

/** A pod of the bench: a network namespace of its own and a name. */
export interface BenchPod {
  readonly index: number;
  readonly containerId: string;
  readonly netns: string;
  readonly name: string;
}

/** A program that gives pods their network; every one is called by the same driver in the same namespace. */
export interface Contender {
  readonly name: "terway" | "floor" | "ptp";
  add(pod: BenchPod): Call;
  del(pod: BenchPod): Call;
}

/** The environment of the CNI specification. */
function environment(verb: string, pod: BenchPod, path: string): Record<string, string> {
  return {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: pod.containerId,
    CNI_NETNS: pod.netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: path,
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`,
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  };
}

/** The product: the real executable and the real daemon. */
export function terwayContender(executable: string, socket: string): Contender {
  const stdin = JSON.stringify({ cniVersion: "1.0.0", name: "terway-chainer", type: "terway", socket, capabilities: { bandwidth: true } });
  const call = (verb: string) => (pod: BenchPod) => ({ argv: [executable], env: environment(verb, pod, "/opt/cni/bin"), stdin });
  return { name: "terway", add: call("ADD"), del: call("DEL") };
}

/** The reference plugin `ptp` with `host-local`, as Debian ships them. */
export function ptpContender(folder: string, dataDir: string): Contender {
  const stdin = JSON.stringify({
    cniVersion: "1.0.0",
    name: "bench-ptp",
    type: "ptp",
    ipMasq: false,
    ipam: { type: "host-local", dataDir, ranges: [[{ subnet: "10.111.0.0/16" }]], routes: [{ dst: "0.0.0.0/0" }] },
  });
  const call = (verb: string) => (pod: BenchPod) => ({ argv: [`${folder}/ptp`], env: environment(verb, pod, folder), stdin });
  return { name: "ptp", add: call("ADD"), del: call("DEL") };
}

export interface FloorOptions {
  readonly program: string;
  readonly socket: string;
  /** The interface that stands for the ENI, its VPC gateway, and the address of a pod by its index. */
  readonly eni: string;
  readonly gateway: string;
  readonly address: (index: number) => string;
}

/** The floor: the same kernel objects, one echo, one fdatasync, and nothing around them. */
export function floorContender({ program, socket, eni, gateway, address }: FloorOptions): Contender {
  const call = (verb: "add" | "del") => (pod: BenchPod) => ({
    argv: [
      program,
      verb,
      ...["--socket", socket, "--netns", pod.netns, "--ifname", "eth0", "--host-if", `flr${pod.index}`],
      ...["--ipv4", address(pod.index), "--gw4", gateway, "--eni", eni],
    ],
    env: {},
    stdin: "",
  });
  return { name: "floor", add: call("add"), del: call("del") };
}
