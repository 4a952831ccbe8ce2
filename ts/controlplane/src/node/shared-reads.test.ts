import type { Cloud } from "@terway/model";
import { CloudError } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import { expect, test } from "vitest";
import { sharedReads } from "./shared-reads.ts";

function world() {
  const clock = new FakeClock();
  const calls: unknown[] = [];
  let refusals = 0;
  const answer = <T>(call: unknown, value: T): Promise<T> => {
    calls.push(call);
    if (refusals === 0) return Promise.resolve(value);
    refusals -= 1;
    return Promise.reject(new CloudError("no", { class: "transient", code: "InternalError", action: "Describe" }));
  };
  // Only what is read; a call of anything else fails the test.
  const cloud = {
    describeEnis: (filter: { eniIds?: readonly string[] }) =>
      answer(
        filter,
        (filter.eniIds ?? ["eni-x"]).map((id) => ({ id })),
      ),
    describeInstanceType: (type: string) => answer(type, { instanceType: type }),
  } as unknown as Cloud;
  const refuse = (count: number) => {
    refusals = count;
  };
  return { clock, calls, refuse, shared: sharedReads(cloud, clock, { read: async () => [] }) };
}

test("ENIs that many nodes ask for by id at one time are one call, and each hears of its own", async () => {
  const { clock, calls, shared } = world();
  const asked = Promise.all(["a", "b", "c", "a"].map((id) => shared.describeEnis({ eniIds: [id] })));
  const answers = await clock.advanceFor(asked, 1_000);
  expect(answers.map((enis) => enis.map(({ id }) => id))).toEqual([["a"], ["b"], ["c"], ["a"]]);
  expect(calls).toEqual([{ eniIds: ["a", "b", "c"] }]);
  await clock.advanceFor(shared.describeEnis({ eniIds: ["d"] }), 1_000);
  expect(calls).toHaveLength(2);
});

test("a refusal is everybody's who asked, and the next question is a new call", async () => {
  const { clock, calls, refuse, shared } = world();
  refuse(1);
  const asked = Promise.allSettled([shared.describeEnis({ eniIds: ["a"] }), shared.describeEnis({ eniIds: ["b"] })]);
  expect((await clock.advanceFor(asked, 1_000)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await clock.advanceFor(shared.describeEnis({ eniIds: ["a"] }), 1_000)).toEqual([{ id: "a" }]);
  expect(calls).toHaveLength(2);
});

test("what is not a question by id alone goes through as it is, at once", async () => {
  const { calls, shared } = world();
  await shared.describeEnis({ instanceId: "i-1" });
  await shared.describeEnis({ eniIds: ["a"], instanceId: "i-1" });
  expect(calls).toEqual([{ instanceId: "i-1" }, { eniIds: ["a"], instanceId: "i-1" }]);
});

test("the limits of an instance type are asked once, by however many nodes; a refusal is not kept", async () => {
  const { calls, refuse, shared } = world();
  refuse(1);
  const first = await Promise.allSettled([shared.describeInstanceType("t"), shared.describeInstanceType("t")]);
  expect(first.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await Promise.all([shared.describeInstanceType("t"), shared.describeInstanceType("t")]);
  await shared.describeInstanceType("t");
  expect(calls).toEqual(["t", "t"]);
});
