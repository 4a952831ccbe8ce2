import type { PolicyVerdict } from "@terway/model";
import { explain, parseNetworkPolicy } from "@terway/policy";
import { expect, test } from "vitest";
import { viewPod } from "./view.ts";

const parsed = parseNetworkPolicy({
  metadata: { namespace: "x", name: "web" },
  spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] },
});
if (!parsed.ok) throw new Error("the policy is a good one");
const selecting = { policies: [parsed.policy], ports: [] };
const { set = "", rules = [] } = explain(selecting.policies, []).ingress ?? {};
const verdict = (rule: number, packets: number, endpoint = 3): PolicyVerdict => ({
  endpoint,
  direction: "ingress",
  rule,
  packets,
  bytes: 100 * packets,
});
const pod = { pod: "x/a", endpoint: 3, addresses: ["10.0.0.3"], selecting };

test("counters stand beside the rule and the policy that they are of", () => {
  const record = { endpoint: 3, ingress: set, egress: "0", state: "enforced" as const };
  const view = viewPod({ ...pod, record }, [verdict(rules[0]?.rule ?? 0, 5), verdict(0, 2), verdict(77, 1), verdict(0, 9, 4)]);
  expect(view.state).toBe("enforced");
  const [ingress, egress] = view.judged;
  expect(ingress).toMatchObject({
    set,
    policies: ["web"],
    rules: [{ text: "* TCP/80-80", policies: ["web"], packets: 5, bytes: 500 }],
    denied: { packets: 2 },
    former: { packets: 1 },
    pending: false,
  });
  expect(egress).toEqual({
    direction: "egress",
    policies: [],
    rules: [],
    denied: { packets: 0, bytes: 0 },
    former: { packets: 0, bytes: 0 },
    pending: false,
  });
});

test("what the kernel does not have yet is pending, and a pod without a record is judged by nothing", () => {
  const record = { endpoint: 3, ingress: "0", egress: "0", state: "enforced" as const };
  expect(viewPod({ ...pod, record }, []).judged[0]?.pending).toBe(true);
  expect(viewPod({ ...pod, record: undefined }, [])).toMatchObject({ state: "none", judged: [{ pending: false }, {}] });
});
