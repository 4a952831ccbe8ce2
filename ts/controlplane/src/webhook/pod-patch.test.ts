import { describe, expect, test } from "vitest";
import type { WantedInterface } from "../network/wanted.ts";
import { patchedPodSchema, podPatch } from "./pod-patch.ts";

const eth0: WantedInterface = {
  ...{ ifName: "eth0", vSwitchIds: ["vsw-1"], securityGroupIds: ["sg-1"], eniType: "Default", selection: "ordered" },
  ...{ extraRoutes: [], allocation: {} },
};

function patched(spec: object, more: Partial<Parameters<typeof podPatch>[1]> = {}, interfaces: readonly WantedInterface[] = [eth0]) {
  const pod = patchedPodSchema.parse({ metadata: { annotations: { a: "b" } }, spec: { containers: [{}], ...spec } });
  const choice = { kind: "own", source: "PodNetworking", interfaces, podNetworking: "web" } as const;
  return Object.fromEntries(podPatch(pod, { choice, trunk: true, injectResources: true, ...more }).map(({ path, value }) => [path, value]));
}

test("annotations: what was there stays, the network is written as upstream writes it, and where it comes from", () => {
  const { "/metadata/annotations": annotations } = patched({}) as { "/metadata/annotations": Record<string, string> };
  expect(annotations).toMatchObject({
    a: "b",
    "k8s.aliyun.com/pod-eni": "true",
    "k8s.aliyun.com/pod-networking": "web",
    "terway.aliyun.com/network-source": "PodNetworking",
  });
  expect(JSON.parse(annotations["k8s.aliyun.com/pod-networks"] ?? "")).toEqual({
    podNetworks: [
      {
        vSwitchOptions: ["vsw-1"],
        securityGroupIDs: ["sg-1"],
        interface: "eth0",
        eniOptions: { eniType: "Default" },
        vSwitchSelectOptions: { vSwitchSelectionPolicy: "ordered" },
      },
    ],
  });
});

describe("resources of the first container", () => {
  const eni = { ...eth0, eniType: "ENI" as const };
  test.each([
    ["a cluster with trunks", true, [eth0], "aliyun/member-eni", "1"],
    ["two interfaces", true, [eth0, { ...eth0, ifName: "eth1" }], "aliyun/member-eni", "2"],
    ["a whole ENI is asked for", true, [eni], "aliyun/eni", "1"],
    ["a cluster without trunks", false, [eth0], "aliyun/eni", "1"],
    ["a trunk is asked for there", false, [{ ...eth0, eniType: "Trunk" as const }], "aliyun/member-eni", "1"],
  ])("%s", (_, trunk, interfaces, name, count) => {
    const resources = { requests: { cpu: "1" } };
    expect(patched({ containers: [{ resources }, {}] }, { trunk }, interfaces)["/spec/containers/0/resources"]).toEqual({
      requests: { cpu: "1", [name]: count },
      limits: { [name]: count },
    });
  });

  test("none when they are not injected", () => {
    expect(Object.keys(patched({}, { injectResources: false }))).toEqual(["/metadata/annotations"]);
  });
});

describe("zones", () => {
  const zone = { key: "topology.kubernetes.io/zone", operator: "In", values: ["cn-a"] };
  const required = (terms: object[]) => ({ requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } });

  test("each alternative asks for them", () => {
    const terms = [{ matchExpressions: [{ key: "a", operator: "Exists" }] }, { matchFields: [] }];
    const patch = patched({ affinity: { nodeAffinity: required(terms) } }, { zones: ["cn-a"] });
    expect(patch["/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"]).toEqual({
      nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "Exists" }, zone] }, { matchFields: [], matchExpressions: [zone] }],
    });
  });

  test.each([
    ["no affinity", {}, "/spec/affinity", { nodeAffinity: required([{ matchExpressions: [zone] }]) }],
    ["an affinity to pods", { affinity: { podAffinity: {} } }, "/spec/affinity/nodeAffinity", required([{ matchExpressions: [zone] }])],
  ])("%s", (_, spec, path, value) => {
    expect(patched(spec, { zones: ["cn-a"] })[path]).toEqual(value);
  });
});
