import { FakeClock } from "@terway/model/testing";
import pino from "pino";
import { expect, test } from "vitest";
import { EventLog } from "./events.ts";

test("keeps the newest, bounded, and counts what repeats in a row (I15)", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  const events = new EventLog(clock, log, { limit: 3 });
  for (let i = 0; i < 20; i++) events.emit("AllocIPFailed", { kind: "Node" }, "the same");
  expect(events.recent()).toMatchObject([{ count: 20, type: "Warning" }]);
  expect(lines).toHaveLength(1);
  for (let i = 0; i < 20; i++) events.emit("AllocIPSucceed", { kind: "Pod", namespace: "default", name: `p${i}` }, `address ${i}`);
  expect(events.recent().map((event) => event.message)).toEqual(["address 17", "address 18", "address 19"]);
  // Normal events are the log's own lines already.
  expect(lines).toHaveLength(1);
});
