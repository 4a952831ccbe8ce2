import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@terway/model";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLog } from "../log.ts";
import { nodes, podEnis, pods } from "./kinds.ts";
import { ObjectDirectory } from "./object-directory.ts";

let directory: string;
let objects: ObjectDirectory;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-objects-"));
  objects = new ObjectDirectory(directory, openLog("error", "test").log, systemClock);
});
afterEach(async () => {
  await objects.close();
  await rm(directory, { recursive: true });
});

const put = async (name: string, value: unknown) => {
  await writeFile(join(directory, `${name}.new`), typeof value === "string" ? value : JSON.stringify(value));
  await rename(join(directory, `${name}.new`), join(directory, name));
};
const pod = (name: string, more: Record<string, unknown> = {}, spec: Record<string, unknown> = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "default", name, uid: `u-${name}`, resourceVersion: "7", ...more },
  spec: { containers: [], ...spec },
});
const node = (labels: Record<string, string> | null) => ({ apiVersion: "v1", kind: "Node", metadata: { name: "node-a", labels } });
const labels = async () => (await objects.read(nodes, undefined, "node-a"))?.metadata.labels;

test("single objects and lists, found the moment they are there", async () => {
  const watched = objects.watch(pods);
  await watched.synced;
  expect(watched.objects.size).toBe(0);
  await put("a.json", pod("a", { annotations: { "k8s.aliyun.com/x": "1", other: "is dropped" } }));
  await put("list.json", { apiVersion: "v1", kind: "List", items: [pod("b"), node({ zone: "z" }), { kind: "Service" }] });
  await objects.fresh();
  expect(watched.objects.get("default/a")?.metadata.annotations).toEqual({ "k8s.aliyun.com/x": "1" });
  expect((await objects.read(pods, "default", "b"))?.metadata.uid).toBe("u-b");
  expect(await objects.read(pods, "default", "c")).toBeUndefined();
  expect(await labels()).toEqual({ zone: "z" });
});

test("of one node: what names another one is left out, what names none is not", async () => {
  await put("a.json", pod("a"));
  await put("b.json", pod("b", {}, { nodeName: "node-b" }));
  const watched = objects.watch(pods, { fields: { "spec.nodeName": "node-a" } }, { byName: (one) => [one.metadata.name] });
  await watched.synced;
  expect([...watched.objects.values()].map(({ metadata }) => metadata.name)).toEqual(["a"]);
  expect(watched.objects.by("byName", "a")).toHaveLength(1);
});

test("changes and removals count, whatever version the file shows; a broken file leaves the others alone", async () => {
  const told: string[] = [];
  const watched = objects.watch(pods);
  await watched.synced;
  watched.objects.listen((event) => told.push(event.type));
  await put("node.json", node({ a: "1" }));
  await put("pod.json", pod("a", { labels: { app: "x" } }));
  expect(await labels()).toEqual({ a: "1" });
  await put("pod.json", pod("a", { labels: { app: "y" } }));
  await objects.fresh();
  expect(watched.objects.get("default/a")?.metadata.labels).toEqual({ app: "y" });
  await put("node.json", node(null));
  await put("pod.json", "{");
  await put("other.json", { ...pod("c"), metadata: {} });
  expect(await labels()).toEqual({});
  expect(watched.objects.size).toBe(0);
  expect(told).toEqual(["added", "updated", "deleted"]);
  await rm(join(directory, "node.json"));
  expect(await labels()).toBeUndefined();
});

test("a PodENI is checked field by field", async () => {
  const podEni = (allocation: Record<string, unknown>) => ({
    apiVersion: "network.alibabacloud.com/v1beta1",
    kind: "PodENI",
    metadata: { namespace: "default", name: "a" },
    spec: { allocations: [{ eni: { id: "eni-1" }, ...allocation }] },
  });
  const read = () => objects.read(podEnis, "default", "a");
  await put("a.json", podEni({ ipv4: "10.0.0.5", ipv4CIDR: "10.0.0.0/24" }));
  expect((await read())?.spec.allocations).toHaveLength(1);
  await put("a.json", podEni({ ipv4: "10.0.0" }));
  expect(await read()).toBeUndefined();
});
