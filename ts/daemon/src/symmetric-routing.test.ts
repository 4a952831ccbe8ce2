import type { Outcome, SymmetricRouting, SymmetricRoutingEntrance } from "@terway/model";
import { FakeClock } from "@terway/model/testing";
import { expect, test } from "vitest";
import { openLog } from "./log.ts";
import { switchSymmetricRouting } from "./symmetric-routing.ts";

type Answer = Outcome<SymmetricRoutingEntrance | undefined>;
const noGateway: Answer = { ok: false, error: { code: "kernel", message: "eth0 has no gateway" } };
const on: Answer = { ok: true, value: { interface: "eth0", families: ["ipv4"] } };

async function play(wanted: SymmetricRouting | undefined, answers: readonly Answer[]) {
  const clock = new FakeClock();
  const [asked, states, emitted]: [unknown[], string[], string[]] = [[], [], []];
  const queue = [...answers];
  const running = switchSymmetricRouting({
    datapath: {
      symmetricRouting: async (config) => {
        asked.push(config);
        return queue.shift() ?? noGateway;
      },
    },
    wanted,
    clock,
    log: openLog("error", "test").log,
    events: { emit: (reason, _, message) => emitted.push(`${reason}: ${message}`) },
    signal: new AbortController().signal,
    onState: (state) => states.push(state),
  });
  for (let index = 1; index < answers.length; index++) await clock.advance(30_000);
  await running;
  return { asked, states, emitted };
}

test("off is asked for, too: what an earlier configuration left goes", async () => {
  expect(await play(undefined, [{ ok: true, value: undefined }])).toEqual({ asked: [null], states: ["off"], emitted: [] });
});

test("while the kernel does not take it, it is tried again, and told once", async () => {
  expect(await play({ mark: 32 }, [noGateway, noGateway, on])).toEqual({
    asked: [{ mark: 32 }, { mark: 32 }, { mark: 32 }],
    states: ["not in force: eth0 has no gateway", "not in force: eth0 has no gateway", "on, eth0, ipv4"],
    emitted: ["ConfigError: symmetric_routing is not in force: eth0 has no gateway"],
  });
});
