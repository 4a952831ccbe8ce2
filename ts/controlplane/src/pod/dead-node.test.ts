import type { Eni } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { nodes } from "../cluster/kinds.ts";
import { againMs, GoneInstances, isDown, isOutOfService } from "./dead-node.ts";

const outOfService = "node.kubernetes.io/out-of-service";
const unreachable = "node.kubernetes.io/unreachable";
const node = (...taints: string[]) => nodes.prune({ metadata: { name: "n" }, spec: { taints: taints.map((key) => ({ key })) } });

test.each([
  ["well", node(), false, false],
  ["not heard", node(unreachable), true, false],
  ["not ready", node("node.kubernetes.io/not-ready"), true, false],
  ["not heard, and said to be out of service", node(unreachable, outOfService), true, true],
  ["said to be out of service by mistake: its kubelet is well", node(outOfService), false, false],
  ["not there", undefined, true, false],
])("a node that is %s", (_, one, down, out) => {
  expect([isDown(one), isOutOfService(one)]).toEqual([down, out]);
});

describe("an instance is gone", () => {
  let clock: FakeClock;
  let answer: Eni[];
  let calls: number;
  let gone: GoneInstances;
  beforeEach(() => {
    clock = new FakeClock();
    answer = [];
    calls = 0;
    const describeEnis = async () => {
      calls += 1;
      return answer;
    };
    gone = new GoneInstances({ clock, cloud: { describeEnis } });
  });
  const primary = { id: "eni-p" } as Eni;

  test("when two looks have seen nothing of it, and all its pods share them", async () => {
    expect(await Promise.all([gone.state("i-1"), gone.state("i-1")])).toEqual(["suspected", "suspected"]);
    await clock.advance(againMs.suspected - 1);
    expect(await gone.state("i-1")).toBe("suspected");
    expect(calls).toBe(1);
    await clock.advance(1);
    expect(await Promise.all([gone.state("i-1"), gone.state("i-1")])).toEqual(["gone", "gone"]);
    expect(calls).toBe(2);
  });

  test("not when an ENI was seen between", async () => {
    const states: string[] = [];
    for (const enis of [[], [primary], [], []]) {
      answer = enis;
      states.push(await gone.state("i-1"));
      await clock.advance(againMs.there);
    }
    expect(states).toEqual(["suspected", "there", "suspected", "gone"]);
  });

  test("not when the second look comes so late that the first was forgotten", async () => {
    await gone.state("i-1");
    await clock.advance(11 * 60_000);
    expect(await gone.state("i-1")).toBe("suspected");
  });
});
