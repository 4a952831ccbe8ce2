import { pathOf } from "@terway/kube";
import { until } from "@terway/lab";
import { expect, test } from "vitest";
import { z } from "zod";
import { nodes } from "../kube/objects.ts";
import { listEvents } from "../objects.ts";
import { useInstallation } from "./installation.ts";
import { createAnnotatedPod, endPod, podEniIn } from "./objects.ts";

/** The cloud falls ill and recovers, and nobody touches anything. */
const installation = useInstallation({ degradation: { enable: true, l1_threshold: 2, l0_threshold: 4 } });
const client = () => installation().client;

const nodeSchema = z.object({
  status: z.object({ conditions: z.array(z.looseObject({ type: z.string() })).default([]) }).default({ conditions: [] }),
});

async function conditionOf(name: string) {
  const { status } = nodeSchema.parse(await client().call({ method: "GET", path: pathOf(nodes, undefined, name) }));
  return status.conditions.find(({ type }) => type === "ControlPlaneDegraded");
}

const metric = async () =>
  /^terway_controlplane_degradation (\d)/m.exec(await (await fetch(`${installation().controlPlane.healthz}/metrics`)).text())?.[1];
const told = async (reason: string, words: string) =>
  (await listEvents(client(), "default", reason)).some(
    ({ involvedObject, message }) => involvedObject.kind === "Node" && message.includes(words),
  );

test("I18: degradation is entered by failures and left by successes, and each node says so", { tags: ["long"] }, async () => {
  const { simulator } = installation().region;
  const effect = { type: "error", code: "InternalError", status: 500 } as const;
  simulator.admin("setFault", { id: "ill", match: { action: ["CreateNetworkInterface", "DescribeNetworkInterfaces"] }, effect });
  expect(await conditionOf("node-1")).toBeUndefined();
  for (const name of ["one", "two"]) await createAnnotatedPod(client(), name, "node-1", { "trunk-on": "true" });
  await until("every node says it", 60_000, async () =>
    (await Promise.all(["node-1", "node-2", "node-3"].map(conditionOf))).every((one) => one?.status === "True" && one.reason === "L0"),
  );
  expect(await metric()).toBe("2");
  expect((await conditionOf("node-1"))?.message).toMatch(
    /^the cloud is not called: \d+ calls have failed one after another, the last with InternalError/,
  );
  await until("an event says it", 10_000, () => told("SyncOpenAPIFailed", "degraded to L0"));
  const calls = () => Object.values(simulator.counters()).reduce((sum, { calls: count }) => sum + count, 0);
  const before = calls();
  simulator.admin("clearFaults", { id: "ill" });
  for (const name of ["one", "two"]) await podEniIn(client(), name, "Bind", 120_000);
  expect(calls()).toBeGreaterThan(before);
  await until("every node says that it is over", 60_000, async () =>
    (await Promise.all(["node-1", "node-2", "node-3"].map(conditionOf))).every(
      (one) => one?.status === "False" && one.reason === "NotDegraded",
    ),
  );
  expect(await metric()).toBe("0");
  await until("an event says it", 10_000, () => told("SyncOpenAPISuccess", "degradation is over"));
  for (const name of ["one", "two"]) await endPod(client(), name);
  await until("nothing is left", 30_000, async () => installation().region.podEnis().length === 0);
});
