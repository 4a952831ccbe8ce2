import { Store } from "@terway/kube";
import type { PodObject } from "@terway/model";
import { podObjectSchema } from "@terway/model";
import { expect, test } from "vitest";
import { announcePods } from "./expected-pods.ts";

let version = 0;
const pod = (name: string, more: { metadata?: object; spec?: object; status?: object } = {}) => {
  version += 1;
  return podObjectSchema.parse({
    ...more,
    metadata: { namespace: "default", name, uid: `u-${name}`, resourceVersion: String(version), ...more.metadata },
  });
};

test("the pool hears of each pod that takes an address of it, and when it does not any more", () => {
  const objects = new Store<PodObject>();
  objects.set(pod("there"));
  objects.set(pod("of-the-host", { spec: { hostNetwork: true } }));
  objects.set(pod("ended", { status: { phase: "Succeeded" } }));
  objects.set(pod("with-enis", { metadata: { annotations: { "k8s.aliyun.com/pod-eni": "true" } } }));
  const told: string[][] = [];
  const stop = new AbortController();
  announcePods({ objects }, { expect: (pods) => told.push([...pods]) }, stop.signal);
  objects.set(pod("new"));
  objects.set(pod("new", { status: { phase: "Running" } }));
  objects.set(pod("there", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }));
  objects.delete("default/new");
  expect(told).toEqual([["default/there"], ["default/there", "default/new"], ["default/new"], []]);
  stop.abort();
  objects.set(pod("later"));
  expect(told).toHaveLength(4);
});
