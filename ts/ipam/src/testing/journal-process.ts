import { systemClock } from "@terway/model";
import { openFileStorage } from "../journal/file-storage.ts";
import { Journal } from "../journal/journal.ts";

/** A process of its own for the tests of journal and lock: `hold` keeps it open, `fill` commits until the disk refuses, then once more. */
const [directory = "", task = ""] = process.argv.slice(2);
const journal = await Journal.open({
  storage: await openFileStorage({ directory, clock: systemClock, lockWaitMs: 0 }),
  clock: systemClock,
  instanceId: "i-1",
});
process.send?.("open");
if (task === "fill") {
  const kept: string[] = [];
  for (let i = 1; ; i += 1) {
    try {
      await journal.commit([{ t: "rest", addresses: [`10.0.1.${i}`], rest: { wallMs: 1, monotonicMs: 2, bootId: "x".repeat(300) } }]);
      kept.push(`10.0.1.${i}`);
    } catch (error) {
      process.send?.(`refused: ${error instanceof Error ? error.message : ""}`);
      break;
    }
  }
  await new Promise((resolve) => process.once("message", resolve));
  await journal.commit([{ t: "rest", addresses: ["10.0.2.1"], rest: { wallMs: 1, monotonicMs: 2 } }]);
  process.send?.(JSON.stringify([...kept, "10.0.2.1"]));
  await journal.close();
  process.disconnect?.();
} else {
  setInterval(() => {}, 1_000);
}
