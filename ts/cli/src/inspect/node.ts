import { type Found, type Reader, resources } from "./api.ts";
import { missing } from "./cluster.ts";
import { type Fact, section } from "./fact.ts";

const apis: Readonly<Record<string, string>> = {
  ecs: "ENIs through the ECS API",
  "ecs-hdeni": "high-density ENIs through the ECS API",
  hdeni: "high-density ENIs through the EFLO API",
};

/** How one node is treated; undefined when there is no such node. */
export async function inspectNode(reader: Reader, name: string): Promise<Fact[] | undefined> {
  const [node, own] = await Promise.all([reader.find(resources.node, undefined, name), reader.find(resources.terwayNode, undefined, name)]);
  if (node.kind === "absent") return undefined;
  const override = node.kind === "found" ? node.object.metadata.labels["terway-config"] : undefined;
  const patch = override === undefined ? undefined : await reader.find(resources.configMap, "kube-system", override);
  return [...nodeFacts(name, node, patch), ...resourceFacts(name, own)];
}

function nodeFacts(name: string, found: Found, patch: Found | undefined): Fact[] {
  const fact = section(`Node ${name}`);
  if (found.kind !== "found") return [fact("labels", undefined, missing(found, `node ${name}`))];
  const { labels, annotations } = found.object.metadata;
  const exclusive = labels["k8s.aliyun.com/exclusive-mode-eni-type"];
  const override = labels["terway-config"];
  return [
    fact(
      "ENI mode",
      exclusive?.toLowerCase() === "enionly" ? "exclusive" : "shared",
      `k8s.aliyun.com/exclusive-mode-eni-type: ${exclusive ?? "not set"}`,
    ),
    fact("dynamic configuration", override, override === undefined ? "eni-config as it is" : patchNote(override, patch)),
    fact("LingJun", labels["alibabacloud.com/lingjun-worker"] === "true"),
    fact("ignored by Terway", labels["k8s.aliyun.com/ignore-by-terway"] === "true"),
    fact("without kube-proxy", labels["k8s.aliyun.com/no-kube-proxy"] === "true"),
    ...["trunk-on", "max-available-ip", "max-member-eni-ip", "max-erdma-ip"].flatMap((key) => {
      const value = annotations[`k8s.aliyun.com/${key}`];
      return value === undefined ? [] : [fact(key, value)];
    }),
  ];
}

function patchNote(name: string, patch: Found | undefined): string {
  const why = patch === undefined ? undefined : missing(patch, `ConfigMap kube-system/${name}`);
  if (why !== undefined) return why;
  return patch?.kind === "found" && patch.object.data.eni_conf === undefined
    ? `ConfigMap kube-system/${name} has no key eni_conf`
    : "merged over eni-config";
}

function resourceFacts(name: string, found: Found): Fact[] {
  const fact = section("nodes.network.alibabacloud.com");
  if (found.kind !== "found")
    return [
      fact("object", "none", found.kind === "absent" ? "no centralized IPAM for this node" : missing(found, `Node ${name} of Terway`)),
    ];
  const { labels, annotations } = found.object.metadata;
  const api = annotations["k8s.aliyun.com/eno-api"];
  return [
    fact("ENI mode", labels["k8s.aliyun.com/exclusive-mode-eni-type"]),
    fact("eno-api", api, api === undefined ? "LingJun ENIs through the EFLO API, where the node is one" : (apis[api] ?? "unknown value")),
  ];
}
