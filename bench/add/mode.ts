import { mkdir, writeFile } from "node:fs/promises";
import { daemonSocket, type LabNode, requestJson } from "@terway/lab";
import { adminPrefix, exclusiveModeLabel, resourceViewSchema } from "@terway/model";

/** Modes whose pods a node makes by itself. Members of a trunk need a PodENI each, which a control plane makes. */
export const addModes = ["policy_route", "netkit", "ipvlan", "exclusive"] as const;
export type AddMode = (typeof addModes)[number];

/** Those beside policy route, with which their paths are compared. */
export const pathModes = ["netkit", "ipvlan", "exclusive"] as const satisfies readonly AddMode[];
export type PathMode = (typeof pathModes)[number];

/** Keys of `eni_conf` that ask for the mode. */
export const modeKeys: Readonly<Record<AddMode, Readonly<Record<string, unknown>>>> = {
  policy_route: {},
  netkit: { enable_netkit: true },
  ipvlan: { eniip_virtual_type: "IPVlan" },
  exclusive: {},
};

const objectDirectory = "/etc/eni/objects";

/** Writes the node's Kubernetes object with the label that asks for exclusive ENIs, and answers the daemon's flags that have it read. */
export async function labelNode(node: LabNode, mode: AddMode): Promise<readonly string[]> {
  if (mode !== "exclusive") return [];
  await mkdir(node.path(objectDirectory), { recursive: true });
  const object = { apiVersion: "v1", kind: "Node", metadata: { name: node.name, labels: { [exclusiveModeLabel]: "eniOnly" } } };
  await writeFile(node.path(`${objectDirectory}/node.json`), JSON.stringify(object));
  return ["--objects", objectDirectory];
}

/** Throws, with the daemon's reason, when the node runs another mode: what is measured must be what is named. */
export async function requireMode(node: LabNode, mode: AddMode): Promise<void> {
  const shown = resourceViewSchema.parse(
    await requestJson(node.path(daemonSocket), "GET", `${adminPrefix}/resources/network_service/default`),
  );
  const value = (key: string) => shown.config.find((entry) => entry.key === key)?.value;
  const used = value("node_mode") === "exclusive" ? "exclusive" : value("shared_mode");
  if (used === mode) return;
  const reasons = shown.trace.filter(({ key }) => key.startsWith("fallback ")).map(({ key, value }) => `${key}: ${value}`);
  throw new Error(`this node runs mode ${used}, not ${mode}; ${reasons.join("; ")}`);
}
