import { FakeClock } from "@terway/model/testing";
import { expect, test } from "vitest";
import { TransportError } from "./api-error.ts";
import type { KubeRequest } from "./client.ts";
import { EventRecorder, type EventSubject } from "./event-recorder.ts";

const pod: EventSubject = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "web-0", uid: "u" };

function bodyOf(request: KubeRequest | undefined): { metadata: { name: string }; message: string } {
  return request?.body as { metadata: { name: string }; message: string };
}

function recorder(clock: FakeClock, fail = false) {
  const sent: KubeRequest[] = [];
  const troubles: unknown[] = [];
  const client = {
    call: async (request: KubeRequest) => {
      sent.push(request);
      if (fail) throw new TransportError("POST events", "refused");
      return {};
    },
    open: () => Promise.reject(new Error("not used")),
  };
  return {
    sent,
    troubles,
    events: new EventRecorder({ client, clock, component: "terway", host: "node-a", onTrouble: (error) => troubles.push(error) }),
  };
}

test("equal events raise a count, other ones are new, and after ten quiet minutes a series begins anew", async () => {
  const clock = new FakeClock();
  const { sent, events } = recorder(clock);
  for (let index = 0; index < 3; index += 1) events.record(pod, "Warning", "AllocIPFailed", "vSwitch vsw-a is full");
  events.record(pod, "Normal", "AllocIPSucceed", "took 3 ms");
  await events.flush();
  expect(sent.map(({ method }) => method)).toEqual(["POST", "PATCH", "PATCH", "POST"]);
  expect(sent[2]?.body).toMatchObject({ count: 3 });
  expect(sent[2]?.path).toBe(`${sent[0]?.path}/${bodyOf(sent[0]).metadata.name}`);
  await clock.advance(600_000);
  events.record(pod, "Warning", "AllocIPFailed", "vSwitch vsw-a is full");
  await events.flush();
  expect(sent.at(-1)?.method).toBe("POST");
});

test("an object that says too much is heard 25 times, and once more after five minutes; others are heard all the while", async () => {
  const clock = new FakeClock();
  const { sent, events } = recorder(clock);
  for (let index = 0; index < 40; index += 1) events.record(pod, "Warning", "AllocIPFailed", `attempt ${index}`);
  events.record({ ...pod, name: "other" }, "Normal", "AllocIPSucceed", "fine");
  await events.flush();
  expect(sent).toHaveLength(26);
  expect(events.suppressed).toBe(15);
  await clock.advance(300_000);
  for (let index = 0; index < 2; index += 1) events.record(pod, "Warning", "AllocIPFailed", `later ${index}`);
  await events.flush();
  expect(sent).toHaveLength(27);
});

test("an event of an object of the cluster stands in namespace default; a long message is cut to what the server takes", async () => {
  const { sent, events } = recorder(new FakeClock());
  events.record({ apiVersion: "v1", kind: "Node", name: "node-a" }, "Warning", "ConfigError", "x".repeat(5000));
  await events.flush();
  expect(sent[0]?.path).toBe("/api/v1/namespaces/default/events");
  expect(bodyOf(sent[0]).message).toHaveLength(1024);
});

test("an event that cannot be written is reported and does not stop the next", async () => {
  const { sent, troubles, events } = recorder(new FakeClock(), true);
  events.record(pod, "Normal", "A", "1");
  events.record(pod, "Normal", "B", "2");
  await events.flush();
  expect(sent).toHaveLength(2);
  expect(troubles).toHaveLength(2);
});
