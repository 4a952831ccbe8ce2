import { type PodNetworking, type PodObject, podNetworkingSchema, podObjectSchema } from "@terway/model";
import { describe, expect, test } from "vitest";
import { annotation } from "./annotations.ts";
import { chooseNetwork } from "./choice.ts";
import { type ChoiceColumn, choiceColumns, choiceTable } from "./choice-table.ts";
import type { ChoiceInput, NetworkChoice } from "./wanted.ts";

const defaults = { vSwitchIds: ["vsw-default"], securityGroupIds: ["sg-default"], selection: "most" as const };

function pod(annotations: Record<string, string> = {}, more: Record<string, unknown> = {}): PodObject {
  return podObjectSchema.parse({ metadata: { namespace: "apps", name: "web-0", annotations, ...more } });
}

function podNetworking(name: string, spec: Record<string, unknown>, status: Record<string, unknown> = { status: "Ready" }): PodNetworking {
  const vSwitches = [{ id: `vsw-${name}`, zone: "cn-a" }];
  return podNetworkingSchema.parse({
    metadata: { name },
    spec: { vSwitchOptions: [`vsw-${name}`], securityGroupIDs: [`sg-${name}`], ...spec },
    status: { vSwitches, ...status },
  });
}

const matching = (name: string, more: Record<string, unknown> = {}) =>
  podNetworking(name, { selector: { podSelector: { matchLabels: { app: "web" } } }, ...more });

function choose(given: Partial<ChoiceInput>): NetworkChoice {
  return chooseNetwork({ pod: pod(), podNetworkings: [], defaults, statefulKinds: ["statefulset"], ownEnisForAll: false, ...given });
}

const refusal = (choice: NetworkChoice) =>
  choice.kind === "refused" ? `${choice.field}: ${choice.message}` : `not refused: ${choice.kind}`;
const networks = (...entries: object[]) => ({ [annotation.podNetworks]: JSON.stringify({ podNetworks: entries }) });

describe("the table of the reference page", () => {
  const columns = Object.keys(choiceColumns) as ChoiceColumn[];
  const combinations = Array.from({ length: 2 ** columns.length }, (_, bits) => columns.filter((_column, index) => bits & (1 << index)));

  function inputOf(given: readonly ChoiceColumn[]): Partial<ChoiceInput> {
    const has = (column: ChoiceColumn) => given.includes(column);
    const annotations = {
      ...(has("pod-networks") ? networks({ vSwitchOptions: ["vsw-1"], securityGroupIDs: ["sg-1"] }) : {}),
      ...(has("pod-networks-request") ? { [annotation.podNetworksRequest]: '[{"network":"asked"}]' } : {}),
      ...(has("pod-networking") ? { [annotation.podNetworking]: "asked" } : {}),
      ...(has("pod annotations") ? { [annotation.trunkOn]: "true", [annotation.securityGroupId]: "sg-p" } : {}),
      ...(has("own for all") ? { [annotation.podEni]: "true" } : {}),
      ...(has("pod-eni false") ? { [annotation.podEni]: "false" } : {}),
    };
    return {
      pod: pod(annotations, { labels: { app: "web" } }),
      podNetworkings: [podNetworking("asked", {}), ...(has("PodNetworking") ? [matching("found")] : [])],
      namespace: {
        metadata: {
          name: "apps",
          uid: "",
          resourceVersion: "",
          labels: {},
          annotations: has("namespace annotations") ? { [annotation.vSwitchId]: "vsw-n" } : {},
        },
      },
    };
  }

  test(`all ${combinations.length} combinations of its columns`, () => {
    for (const given of combinations) {
      const row = choiceTable.find(({ when }) =>
        columns.every((column) => when[column] === undefined || (when[column] === "yes") === given.includes(column)),
      );
      const choice = choose(inputOf(given));
      const gives = choice.kind === "own" ? choice.source : choice.kind === "refused" ? `refused: ${choice.field}` : "shared";
      expect({ given, gives }).toEqual({ given, gives: row?.gives });
    }
  });

  test("every row is reached", () => {
    const reached = new Set(
      combinations.map((given) =>
        choiceTable.findIndex(({ when }) =>
          columns.every((column) => when[column] === undefined || (when[column] === "yes") === given.includes(column)),
        ),
      ),
    );
    expect(reached.size).toBe(choiceTable.length);
  });
});

describe("pod-networks", () => {
  test("everything that it says counts, the default route and the resource group too; what is left out is of eni-config", () => {
    const choice = choose({
      pod: pod(
        networks(
          {
            interface: "eth0",
            vSwitchOptions: ["vsw-1"],
            securityGroupIDs: ["sg-1"],
            vSwitchSelectOptions: { vSwitchSelectionPolicy: "random" },
          },
          {
            interface: "eth1",
            defaultRoute: true,
            resourceGroupID: "rg",
            extraRoutes: [{ dst: "10.1.2.3/8" }],
            eniOptions: { eniType: "ENI" },
            networkInterfaceTrafficMode: "HighPerformance",
          },
        ),
      ),
    });
    expect(choice).toEqual({
      kind: "own",
      source: "pod-networks",
      interfaces: [
        {
          ifName: "eth0",
          vSwitchIds: ["vsw-1"],
          securityGroupIds: ["sg-1"],
          eniType: "Default",
          selection: "random",
          extraRoutes: [],
          allocation: {},
        },
        {
          ...{ ifName: "eth1", vSwitchIds: ["vsw-default"], securityGroupIds: ["sg-default"], eniType: "ENI", selection: "most" },
          ...{ resourceGroupId: "rg", trafficMode: "HighPerformance", defaultRoute: true, extraRoutes: ["10.0.0.0/8"], allocation: {} },
        },
      ],
    });
  });

  const first = { vSwitchOptions: ["v"], securityGroupIDs: ["s"] };
  const fixed = (allocationType: object) => networks({ ...first, allocationType });
  const path = `${annotation.podNetworks}.podNetworks`;
  test.each([
    ["no JSON", { [annotation.podNetworks]: "{" }, `${annotation.podNetworks}: is no JSON`],
    ["no network", networks(), `${path}: names no network`],
    [
      "eleven groups",
      networks({ ...first, securityGroupIDs: Array.from({ length: 11 }, (_, index) => `sg-${index}`) }),
      `${path}[0].securityGroupIDs: names more than 10`,
    ],
    ["a name that is too long", networks({ ...first, interface: "ethernet0" }), `${path}[0].interface: must be 1 to 5`],
    ["a name twice", networks(first, first), `${path}[1].interface: eth0 is there already`],
    ["nothing for eth0", networks({ ...first, interface: "eth1" }), `${path}[0].interface: no network is for eth0`],
    [
      "two default routes",
      networks({ ...first, defaultRoute: true }, { ...first, interface: "eth1", defaultRoute: true }),
      `${path}[1].defaultRoute: is the second`,
    ],
    ["a route that is none", networks({ ...first, extraRoutes: [{ dst: "10.0.0" }] }), `${path}[0].extraRoutes[0].dst: must be a CIDR`],
    [
      "a duration that is none",
      fixed({ type: "Fixed", releaseStrategy: "TTL", releaseAfter: "soon" }),
      `${path}[0].allocationType.releaseAfter: must be a duration`,
    ],
    [
      "never, after a while",
      fixed({ type: "Fixed", releaseStrategy: "Never", releaseAfter: "5m" }),
      `${path}[0].allocationType.releaseAfter: must be empty`,
    ],
  ])("%s is refused with the field", (_, annotations, words) => {
    expect(refusal(choose({ pod: pod(annotations) }))).toContain(words);
  });

  test("what the webhook wrote stands beside what it was made from", () => {
    const written = {
      ...networks(first),
      [annotation.podNetworksRequest]: '[{"network":"a"}]',
      [annotation.source]: "pod-networks-request",
    };
    expect(choose({ pod: pod(written) })).toMatchObject({ kind: "own", source: "pod-networks" });
  });
});

describe("PodNetworking", () => {
  const web = pod({}, { labels: { app: "web" } });
  const replica = pod({}, { labels: { app: "web" }, ownerReferences: [{ kind: "ReplicaSet", name: "web", controller: true }] });

  test("the first by name counts; both selectors must match; one without selectors matches nobody", () => {
    const elsewhere = matching("a", { selector: { podSelector: {}, namespaceSelector: { matchLabels: { team: "other" } } } });
    const choice = choose({ pod: web, podNetworkings: [matching("c"), matching("b"), elsewhere, podNetworking("0", {})] });
    expect(choice).toMatchObject({
      source: "PodNetworking",
      interfaces: [{ vSwitchIds: ["vsw-b"], securityGroupIds: ["sg-b"] }],
      zones: ["cn-a"],
    });
  });

  test("one with fixed addresses is for pods that come back under their names", () => {
    const fixed = matching("fixed", { allocationType: { type: "Fixed", releaseStrategy: "Never" } });
    expect(choose({ pod: replica, podNetworkings: [fixed] })).toEqual({ kind: "shared" });
    expect(choose({ pod: web, podNetworkings: [fixed] })).toMatchObject({ kind: "own", interfaces: [{ allocation: { type: "Fixed" } }] });
    const custom = pod({}, { labels: { app: "web" }, ownerReferences: [{ kind: "CloneSet", name: "web", controller: true }] });
    expect(choose({ pod: custom, podNetworkings: [fixed], statefulKinds: ["statefulset", "cloneset"] })).toMatchObject({ kind: "own" });
  });

  test("one that is not ready keeps its pods from starting without it, and says why", () => {
    const broken = podNetworking("web", { selector: { podSelector: {} } }, { status: "Fail", message: "vSwitch vsw-x does not exist" });
    expect(refusal(choose({ pod: web, podNetworkings: [broken] }))).toBe(
      "PodNetworking: PodNetworking web is not Ready: vSwitch vsw-x does not exist",
    );
  });

  test("networks that are asked for by name share a zone and a type, and have no selectors", () => {
    const ask = (...names: string[]) =>
      pod({ [annotation.podNetworksRequest]: JSON.stringify(names.map((network, index) => ({ network, interfaceName: `eth${index}` }))) });
    const far = podNetworking("far", {}, { status: "Ready", vSwitches: [{ id: "vsw-far", zone: "cn-z" }] });
    const known = [podNetworking("one", {}), podNetworking("two", { eniOptions: { eniType: "ENI" } }), far, matching("selects")];
    expect(refusal(choose({ pod: ask("one", "far"), podNetworkings: known }))).toContain(
      "[1].network: PodNetworking far has no vSwitch in a zone of the others (cn-a)",
    );
    expect(refusal(choose({ pod: ask("one", "two"), podNetworkings: known }))).toContain("[1].network: PodNetworking two has eniType ENI");
    expect(refusal(choose({ pod: ask("selects"), podNetworkings: known }))).toContain("has selectors");
    expect(refusal(choose({ pod: ask("none"), podNetworkings: known }))).toContain("[0].network: PodNetworking none does not exist");
    expect(choose({ pod: ask("one"), podNetworkings: known })).toMatchObject({ kind: "own", zones: ["cn-a"] });
  });
});

describe("the annotations of the documents", () => {
  test("a group alone leaves the kind of ENI to the cluster, trunk-on asks for a trunk", () => {
    expect(choose({ pod: pod({ [annotation.securityGroupId]: "sg-1, sg-2" }) })).toMatchObject({
      interfaces: [{ eniType: "Default", securityGroupIds: ["sg-1", "sg-2"], vSwitchIds: ["vsw-default"] }],
    });
    expect(choose({ pod: pod({ [annotation.trunkOn]: "true" }) })).toMatchObject({ interfaces: [{ eniType: "Trunk" }] });
  });

  test("a given address goes with whatever network the pod gets", () => {
    const choice = choose({ pod: pod({ [annotation.podIp]: "10.0.0.7" }, { labels: { app: "web" } }), podNetworkings: [matching("web")] });
    expect(choice).toMatchObject({ source: "PodNetworking", interfaces: [{ primaryIpv4: "10.0.0.7" }] });
    expect(choose({ pod: pod({ [annotation.podIp]: "10.0.0.7" }) })).toMatchObject({ source: "eni-config" });
  });

  test.each([
    [annotation.trunkOn, "yes", 'must be "true" or "false"'],
    [annotation.podIp, "10.0.0", "must be an IPv4 address"],
    [annotation.podIp, "fd00::1", "must be an IPv4 address"],
  ])("%s=%s is refused", (name, value, words) => {
    expect(refusal(choose({ pod: pod({ [name]: value }) }))).toBe(`${name}: ${words}`);
  });

  test("trunk-on=false on the pod declines its namespace's wish, and contradicts a group", () => {
    const namespace = {
      metadata: { name: "apps", uid: "", resourceVersion: "", labels: {}, annotations: { [annotation.trunkOn]: "true" } },
    };
    expect(choose({ namespace })).toMatchObject({ source: "namespace annotations" });
    expect(choose({ pod: pod({ [annotation.trunkOn]: "false" }), namespace })).toEqual({ kind: "shared" });
    expect(refusal(choose({ pod: pod({ [annotation.trunkOn]: "false", [annotation.securityGroupId]: "sg" }) }))).toContain(
      annotation.trunkOn,
    );
  });

  test("without a group anywhere nothing can be made", () => {
    expect(refusal(choose({ pod: pod({ [annotation.trunkOn]: "true" }), defaults: { ...defaults, securityGroupIds: [] } }))).toContain(
      "securityGroupIDs: names no security group",
    );
  });
});
