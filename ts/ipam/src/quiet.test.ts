import type { Metadata, MetadataEni } from "@terway/model";
import { expect, it } from "vitest";
import { add, instanceId, TestNode } from "./testing/node.ts";

/** A node whose metadata show what the cloud has. */
function nodeWithMetadata(seed: number): TestNode {
  const node = new TestNode(seed);
  const enis = async () => node.cloud.truth().filter((eni) => eni.instanceId === instanceId) as unknown as MetadataEni[]; // only MAC and addresses are read
  node.metadata = { enis } as unknown as Metadata; // only `enis` is asked
  return node;
}
const describes = (node: TestNode) => node.cloud.calls.filter(({ action }) => action.startsWith("Describe")).length;

it("asks the cloud nothing while the instance shows what the journal says, but every ten minutes", async () => {
  const node = nodeWithMetadata(1);
  await node.start();
  await add(node, "a");
  await node.clock.advance(200_000);
  const before = describes(node);
  await node.clock.advance(300_000);
  expect(describes(node)).toBe(before);
  await node.clock.advance(300_000);
  expect(describes(node)).toBeGreaterThan(before);
});

it("asks at once when the instance shows less", async () => {
  const node = nodeWithMetadata(2);
  await node.start();
  const lease = await add(node, "a");
  await node.clock.advance(200_000);
  const before = describes(node);
  const metadata = node.metadata;
  Object.assign(metadata ?? {}, { enis: async () => [] });
  await node.clock.advance(100_000);
  expect(describes(node)).toBeGreaterThan(before);
  expect(node.pool.leases()).toMatchObject([{ id: lease.id }]);
});
