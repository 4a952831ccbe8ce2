import { apply, mergePatch, type ObjectRef, read } from "@terway/kube";
import { expect, test } from "vitest";
import { z } from "zod";
import { useControlPlane } from "../control-plane-fixture.ts";
import { configMaps, create, createNamespace, nodes } from "./objects.ts";

const plane = useControlPlane();
const configMapSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).optional() }),
  data: z.record(z.string(), z.string()).optional(),
});

async function configMap(ref: ObjectRef) {
  return configMapSchema.parse(await read(plane().client, ref));
}

test("applied fields are ours: what is left out goes, what others wrote stays", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "applied");
  const ref = { resource: configMaps, namespace, name: "c" };
  expect(await read(client, ref)).toBeUndefined();
  await apply(client, ref, { data: { ours: "1", "ours-too": "1" } }, { fieldManager: "terway" });
  await apply(client, ref, { data: { theirs: "1" } }, { fieldManager: "somebody" });
  await apply(client, ref, { data: { ours: "2" } }, { fieldManager: "terway" });
  expect((await configMap(ref)).data).toEqual({ ours: "2", theirs: "1" });
});

test("a field of another manager is a conflict, and taken over by force", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "conflict");
  const ref = { resource: configMaps, namespace, name: "c" };
  await apply(client, ref, { data: { key: "theirs" } }, { fieldManager: "somebody" });
  const refused = apply(client, ref, { data: { key: "ours" } }, { fieldManager: "terway" });
  await expect(refused).rejects.toMatchObject({ status: 409, reason: "Conflict" });
  await apply(client, ref, { data: { key: "ours" } }, { fieldManager: "terway", force: true });
  expect((await configMap(ref)).data).toEqual({ key: "ours" });
});

test("a merge patch sets annotations, and null removes one", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "merged");
  const ref = { resource: configMaps, namespace, name: "c" };
  await apply(client, ref, { metadata: { annotations: { stays: "1", goes: "1" } } }, { fieldManager: "terway" });
  await mergePatch(client, ref, { metadata: { annotations: { goes: null, comes: "1" } } }, "terway");
  expect((await configMap(ref)).metadata.annotations).toEqual({ stays: "1", comes: "1" });
});

test("a condition is applied to a node's status beside those of the kubelet", async () => {
  const { client } = plane();
  await create(client, nodes, undefined, { metadata: { name: "n" } });
  const ref = { resource: nodes, name: "n", subresource: "status" };
  const condition = (type: string, status: string) => ({ type, status, reason: "Test", message: type });
  await apply(client, ref, { status: { conditions: [condition("Ready", "True")] } }, { fieldManager: "kubelet" });
  await apply(client, ref, { status: { conditions: [condition("SufficientIP", "True")] } }, { fieldManager: "terway" });
  const node = z
    .object({ status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }) })
    .parse(await read(client, { resource: nodes, name: "n" }));
  const conditions = node.status.conditions.map(({ type, status }) => `${type}=${status}`);
  expect(conditions.toSorted()).toEqual(["Ready=True", "SufficientIP=True"]);
});
