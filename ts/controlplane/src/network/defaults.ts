import type { Objects } from "@terway/kube";
import { type ConfigMap, type EniConf, mergePatch, parseEniConfValue, parseJsonText } from "@terway/model";
import type { ClusterNode } from "../cluster/kinds.ts";
import type { NetworkDefaults } from "./wanted.ts";

const baseName = "eni-config";
const key = "eni_conf";
const overrideLabel = "terway-config";

/** `eni_conf` as it holds for a node, or for nobody in particular; a sentence when it cannot be read. */
export function eniConfOf(configMaps: Objects<ConfigMap>, node: ClusterNode | undefined): EniConf | string {
  const base = read(configMaps, baseName);
  if (typeof base === "string") return base;
  const overrideName = node?.metadata.labels[overrideLabel];
  const override = overrideName === undefined ? undefined : read(configMaps, overrideName);
  if (typeof override === "string") return override;
  const parsed = parseEniConfValue(override === undefined ? base.value : mergePatch(base.value, override.value));
  if (parsed.ok) return parsed.config;
  return `ConfigMap kube-system/${overrideName ?? baseName}, ${key}: ${parsed.errors.map(({ path, message }) => `${path}: ${message}`).join("; ")}`;
}

function read(configMaps: Objects<ConfigMap>, name: string): { readonly value: unknown } | string {
  const where = `ConfigMap kube-system/${name}`;
  const configMap = configMaps.get(`kube-system/${name}`);
  if (configMap === undefined) return `${where} is missing`;
  const text = configMap.data[key];
  if (text === undefined) return `${where} has no key ${key}`;
  const parsed = parseJsonText(text);
  return parsed.ok ? { value: parsed.value } : `${where}, ${key}: ${parsed.message}`;
}

/** What of it counts for ENIs of single pods: the vSwitches of every zone, because the node is not chosen yet. */
export function networkDefaults(conf: EniConf | string): NetworkDefaults {
  if (typeof conf === "string") return { vSwitchIds: [], securityGroupIds: [], selection: "ordered" };
  return {
    vSwitchIds: [...new Set(Object.values(conf.vSwitches).flat())],
    securityGroupIds: conf.securityGroupIds,
    selection: conf.vSwitchSelectionPolicy,
    ...(conf.resourceGroupId === undefined ? {} : { resourceGroupId: conf.resourceGroupId }),
  };
}
