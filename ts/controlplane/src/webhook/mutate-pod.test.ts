import { Store } from "@terway/kube";
import {
  type ConfigMap,
  configMapSchema,
  type NamespaceObject,
  type PodEni,
  type PodNetworking,
  podEniSchema,
  podNetworkingSchema,
  type VSwitch,
} from "@terway/model";
import { FakeClock, SeededRandom } from "@terway/model/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { parseCtrlConfig } from "../config/ctrl-config.ts";
import { annotation } from "../network/annotations.ts";
import { VSwitches } from "../runtime/v-switches.ts";
import { mutatePod } from "./mutate-pod.ts";
import type { AdmissionRequest } from "./review.ts";
import type { WebhookParts } from "./webhook-parts.ts";

const vSwitch: VSwitch = { id: "vsw-1", zoneId: "z", vpcId: "vpc-1", cidr: "10.0.1.0/24", availableIpv4: 100 };

/** Of the webhook's surroundings what a pod's admission looks at. */
function partsWith(cloud: (ids: readonly string[]) => Promise<VSwitch[]>, more: string): WebhookParts {
  const [clock, random] = [new FakeClock(), new SeededRandom(1)];
  const parsed = parseCtrlConfig(`clusterID: c\nvpcID: vpc-1\n${more}`);
  if (!parsed.ok) throw new Error("the configuration is wrong");
  const podEnis = new Store<PodEni>({
    ipv4: ({ spec }) => (spec.allocations ?? []).flatMap(({ ipv4 }) => ipv4 ?? []),
  });
  podEnis.set(
    podEniSchema.parse({
      metadata: { namespace: "other", name: "holder", uid: "u", resourceVersion: "1" },
      spec: { allocations: [{ eni: { id: "eni-1" }, ipv4: "10.0.1.77" }] },
    }),
  );
  const configMaps = new Store<ConfigMap>();
  const conf = { vswitches: { z: ["vsw-1"] }, security_groups: ["sg-1"] };
  configMaps.set(
    configMapSchema.parse({ metadata: { namespace: "kube-system", name: "eni-config" }, data: { eni_conf: JSON.stringify(conf) } }),
  );
  const podNetworkings = new Store<PodNetworking>();
  podNetworkings.set(
    podNetworkingSchema.parse({
      metadata: { name: "broken", uid: "b", resourceVersion: "1" },
      spec: { selector: { podSelector: { matchLabels: { net: "broken" } } } },
      status: { status: "Fail", message: "spec.vSwitchOptions[0]: vSwitch vsw-x does not exist" },
    }),
  );
  const informers = {
    namespaces: { objects: new Store<NamespaceObject>() },
    podEnis: { objects: podEnis },
    configMaps: { objects: configMaps },
    podNetworkings: { objects: podNetworkings },
  };
  const vSwitches = new VSwitches({ cloud: { describeVSwitches: cloud }, clock, random, lifeMs: 60_000, most: 10 });
  // Nothing else of it is asked for.
  return { config: parsed.value, informers, vSwitches, clock } as unknown as WebhookParts;
}

function request(annotations: Record<string, string>, labels: Record<string, string> = {}): AdmissionRequest {
  const object = { metadata: { name: "web", annotations, labels }, spec: { containers: [{}] } };
  return { uid: "r", kind: { kind: "Pod" }, operation: "CREATE", namespace: "apps", object } as AdmissionRequest;
}

let parts: WebhookParts;
beforeEach(() => {
  parts = partsWith(async (ids) => [vSwitch].filter(({ id }) => ids.includes(id)), "");
});

describe("bad input is refused with its field", () => {
  test.each<[string, Record<string, string>, string, string]>([
    ["an address that another pod has", { [annotation.podIp]: "10.0.1.77" }, annotation.podIp, "10.0.1.77 belongs to pod other/holder"],
    ["an address outside", { [annotation.podIp]: "192.0.2.1" }, annotation.podIp, "192.0.2.1 is in none of the pod's vSwitches"],
    ["an unknown vSwitch", { [annotation.vSwitchId]: "vsw-x" }, annotation.vSwitchId, "vSwitch vsw-x does not exist"],
    ["no JSON", { [annotation.podNetworks]: "{" }, annotation.podNetworks, "is no JSON"],
    [
      "a time that does not parse",
      { [annotation.podNetworks]: '{"podNetworks":[{"allocationType":{"type":"Fixed","releaseStrategy":"TTL","releaseAfter":"soon"}}]}' },
      `${annotation.podNetworks}.podNetworks[0].allocationType.releaseAfter`,
      "must be a duration",
    ],
    [
      "eleven groups",
      { [annotation.securityGroupId]: Array.from({ length: 11 }, (_, index) => `sg-${index}`).join() },
      annotation.securityGroupId,
      "names more than 10 groups",
    ],
  ])("%s", async (_, annotations, field, words) => {
    const verdict = await mutatePod(parts, request(annotations));
    expect(verdict).toMatchObject({ kind: "denied", field, message: expect.stringContaining(words) });
  });

  test("a pod that a PodNetworking with a fault selects, with the fault's own field; others are let in", async () => {
    expect(await mutatePod(parts, request({}, { net: "broken" }))).toMatchObject({
      kind: "denied",
      field: "PodNetworking",
      message: expect.stringContaining("spec.vSwitchOptions[0]: vSwitch vsw-x does not exist"),
    });
    expect(await mutatePod(parts, request({}))).toEqual({ kind: "allowed" });
  });

  test("while the cloud is away what only it knows is left to events, with a warning", async () => {
    parts = partsWith(() => Promise.reject(new Error("no answer")), "");
    const verdict = await mutatePod(parts, request({ [annotation.vSwitchId]: "vsw-x" }));
    expect(verdict).toMatchObject({ kind: "allowed", warnings: [expect.stringContaining("no answer")] });
  });
});

const injected = (verdict: Awaited<ReturnType<typeof mutatePod>>) =>
  verdict.kind === "allowed" && (verdict.patch ?? []).some(({ path }) => path.endsWith("/resources"));

test("a pod that may fall back asks the scheduler for no ENI, because it would wait for one", async () => {
  const trunk = request({ [annotation.trunkOn]: "true" });
  expect(injected(await mutatePod(parts, trunk))).toBe(true);
  const fallback = partsWith(async () => [vSwitch], "fallbackToSharedENI: true\n");
  expect(injected(await mutatePod(fallback, trunk))).toBe(false);
  expect(injected(await mutatePod(fallback, request({ [annotation.securityGroupId]: "sg-1" })))).toBe(true);
});
