import { type PodNetworking, podNetworkingSchema, podObjectSchema } from "@terway/model";
import { expect, test } from "vitest";
import { annotation } from "./annotations.ts";
import { chooseNetwork } from "./choice.ts";
import { type FallbackColumn, fallbackColumns, fallbackTable } from "./fallback.ts";
import type { ChoiceInput } from "./wanted.ts";

const defaults = { vSwitchIds: ["vsw-a", "vsw-b"], securityGroupIds: ["sg-1"], selection: "most" as const, resourceGroupId: "rg" };
const podOf = (annotations: Record<string, string>) =>
  podObjectSchema.parse({ metadata: { namespace: "apps", name: "web-0", annotations, labels: { app: "web" } } });
const podNetworking = (spec: object): PodNetworking =>
  podNetworkingSchema.parse({
    metadata: { name: "web" },
    spec: { selector: { podSelector: {} }, vSwitchOptions: ["vsw-b", "vsw-a"], securityGroupIDs: ["sg-1"], ...spec },
    status: { status: "Ready" },
  });
const choose = (given: Partial<ChoiceInput>) => {
  const all = {
    pod: podOf({}),
    podNetworkings: [],
    defaults,
    statefulKinds: ["statefulset"],
    ownEnisForAll: false,
    fallback: true,
    ...given,
  };
  const choice = chooseNetwork(all);
  return choice.kind === "own" ? (choice.mayFallBack === true ? "shared" : "waits") : choice.kind;
};

test("all combinations of the columns, for a pod that a PodNetworking selects or that spells its network out", () => {
  const columns = Object.keys(fallbackColumns) as FallbackColumn[];
  for (let bits = 0; bits < 2 ** columns.length; bits++) {
    const has = (column: FallbackColumn) => (bits & (1 << columns.indexOf(column))) !== 0;
    const extra = { eniOptions: has("special") ? { eniType: "ENI" } : {} };
    const named = has("names") ? { securityGroupIDs: ["sg-2"] } : {};
    const spelled = { [annotation.podNetworks]: JSON.stringify({ podNetworks: [{ ...extra, ...named }] }) };
    const row = fallbackTable.find(({ when }) => columns.every((one) => when[one] === undefined || (when[one] === "yes") === has(one)));
    const given = {
      fallback: has("opt-in"),
      pod: podOf(has("spelled out") ? spelled : {}),
      podNetworkings: [podNetworking({ ...extra, ...named })],
    };
    expect({ given, gives: choose(given) }).toEqual({ given, gives: row?.gives });
  }
});

const namespaceWith = (annotations: Record<string, string>) => ({
  metadata: { name: "apps", uid: "", resourceVersion: "", labels: {}, annotations },
});

test.each<[string, Partial<ChoiceInput>, "shared" | "waits"]>([
  ["trunk-on alone", { pod: podOf({ [annotation.trunkOn]: "true" }) }, "shared"],
  ["pod-eni alone", { pod: podOf({ [annotation.podEni]: "true" }) }, "shared"],
  ["trunk-on of its namespace", { namespace: namespaceWith({ [annotation.trunkOn]: "true" }) }, "shared"],
  ["a group, though it is the usual one", { pod: podOf({ [annotation.securityGroupId]: "sg-1" }) }, "waits"],
  ["a vSwitch", { pod: podOf({ [annotation.vSwitchId]: "vsw-a" }) }, "waits"],
  ["an address", { pod: podOf({ [annotation.trunkOn]: "true", [annotation.podIp]: "10.0.0.9" }) }, "waits"],
  ["a group of its namespace", { namespace: namespaceWith({ [annotation.securityGroupId]: "sg-1" }) }, "waits"],
  ["a vSwitch of its PodNetworking", { podNetworkings: [podNetworking({ vSwitchOptions: ["vsw-a"] })] }, "waits"],
  ["a fixed address", { podNetworkings: [podNetworking({ allocationType: { type: "Fixed", releaseStrategy: "Never" } })] }, "waits"],
  ["every pod has its own", { pod: podOf({ [annotation.trunkOn]: "true" }), ownEnisForAll: true }, "waits"],
])("%s", (_, given, gives) => {
  expect(choose(given)).toBe(gives);
});

test("what the webhook wrote is judged by what it was made from", () => {
  const network = {
    vSwitchOptions: ["vsw-a", "vsw-b"],
    securityGroupIDs: ["sg-1"],
    resourceGroupID: "rg",
    eniOptions: { eniType: "Trunk" },
  };
  const written = { [annotation.podEni]: "true", [annotation.podNetworks]: JSON.stringify({ podNetworks: [network] }) };
  const from = (source: string, more = {}) => choose({ pod: podOf({ ...written, [annotation.source]: source, ...more }) });
  expect(from("PodNetworking")).toBe("shared");
  expect(from("pod annotations", { [annotation.trunkOn]: "true" })).toBe("shared");
  expect(from("pod annotations", { [annotation.securityGroupId]: "sg-1" })).toBe("waits");
  expect(from("pod-networks-request")).toBe("waits");
  expect(from("pod-networks")).toBe("waits");
});
