import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLog } from "./log.ts";
import { ObjectDirectory } from "./object-directory.ts";

let directory: string;
let objects: ObjectDirectory;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-objects-"));
  objects = new ObjectDirectory(directory, "node-a", openLog("error", "test").log);
});
afterEach(() => rm(directory, { recursive: true }));

const put = async (name: string, value: unknown) => {
  await writeFile(join(directory, `${name}.new`), typeof value === "string" ? value : JSON.stringify(value));
  await rename(join(directory, `${name}.new`), join(directory, name));
};
const pod = (name: string, more: Record<string, unknown> = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "default", name, uid: `u-${name}`, ...more },
  spec: { containers: [] },
});
const node = (labels: Record<string, string> | null) => ({ apiVersion: "v1", kind: "Node", metadata: { name: "node-a", labels } });

test("single objects and lists, found the moment they are there", async () => {
  expect(await objects.pod({ namespace: "default", name: "a" })).toBeUndefined();
  await put("a.json", pod("a", { annotations: { x: "1" } }));
  await put("list.json", { apiVersion: "v1", kind: "List", items: [pod("b"), node({ zone: "z" }), { kind: "Service" }] });
  expect((await objects.pod({ namespace: "default", name: "a" }))?.metadata.annotations).toEqual({ x: "1" });
  expect((await objects.pod({ namespace: "default", name: "b", uid: "u-b" }))?.metadata.name).toBe("b");
  expect(await objects.nodeLabels()).toEqual({ zone: "z" });
});

test("a pod of the same name with another uid is another pod", async () => {
  await put("a.json", pod("a"));
  expect(await objects.pod({ namespace: "default", name: "a", uid: "u-older" })).toBeUndefined();
});

test("changes and removals count; a broken file leaves the others alone", async () => {
  await put("node.json", node({ a: "1" }));
  await put("pod.json", pod("a"));
  expect(await objects.nodeLabels()).toEqual({ a: "1" });
  await put("node.json", node(null));
  await put("pod.json", "{");
  await put("other.json", { ...pod("c"), metadata: {} });
  expect(await objects.nodeLabels()).toEqual({});
  expect(await objects.pod({ namespace: "default", name: "a" })).toBeUndefined();
  await rm(join(directory, "node.json"));
  expect(await objects.nodeLabels()).toEqual({});
});

test("a PodENI is checked field by field", async () => {
  const podEni = (allocation: Record<string, unknown>) => ({
    apiVersion: "network.alibabacloud.com/v1beta1",
    kind: "PodENI",
    metadata: { namespace: "default", name: "a" },
    spec: { allocations: [{ eni: { id: "eni-1" }, ...allocation }] },
  });
  await put("a.json", podEni({ ipv4: "10.0.0.5", ipv4CIDR: "10.0.0.0/24" }));
  expect((await objects.podEni({ namespace: "default", name: "a" }))?.spec.allocations).toHaveLength(1);
  await put("a.json", podEni({ ipv4: "10.0.0" }));
  expect(await objects.podEni({ namespace: "default", name: "a" })).toBeUndefined();
});
