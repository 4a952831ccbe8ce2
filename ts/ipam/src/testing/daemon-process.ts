import { appendFileSync } from "node:fs";
import { systemRandom } from "@terway/model";
import type { Failpoint } from "../failpoint.ts";
import { openPool } from "../open.ts";
import { cloudOverIpc } from "./cloud-ipc.ts";
import { fourPods, instanceId, sandbox } from "./node.ts";
import { scaledClock } from "./scaled-clock.ts";

/**
 * A daemon's process for tests: adds and deletes pods so that every failpoint is passed, and kills itself with SIGKILL at the one it is given.
 * Arguments: journal directory, failpoint, how often it is to be passed before, time factor, kind of lease. Reports each answer as a line in `answers`.
 */
const [directory = "", failpoint = "", skip = "0", factor = "1", kind = "shared"] = process.argv.slice(2);
let left = Number(skip);
const report = (event: object) => appendFileSync(`${directory}/answers`, `${JSON.stringify(event)}\n`);

const pool = await openPool({
  journalDir: directory,
  cloud: cloudOverIpc(),
  clock: scaledClock(Number(factor)),
  random: systemRandom,
  config: fourPods[kind === "exclusive" ? "exclusive" : "shared"],
  identity: { instanceId },
  bootId: "boot-1",
  snapshotBytes: 2_000,
  failpoint: (name: Failpoint) => {
    if (name !== failpoint) return;
    left -= 1;
    if (left < 0) process.kill(process.pid, "SIGKILL");
  },
});
const names = ["a", "b", "c", "d"];
for (const name of names) {
  // Four minutes of real time at 250 times its speed: what is tested is the kill, not a machine under load.
  const answer = await pool.allocate(sandbox(name), { deadlineMs: 60_000_000 });
  if (!answer.ok) throw new Error(answer.failure.message);
  report({ added: name, generation: answer.lease.generation, address: answer.lease.ipv4?.address });
  await pool.bound(answer.lease.id);
}
for (const name of names) {
  report({ deleting: name });
  await pool.beginRelease(`${name}/eth0`);
  await pool.finishRelease(`${name}/eth0`);
  report({ deleted: name });
}
// Until the surplus has been given back, an ENI with it.
for (;;) {
  await pool.sync();
  const view = pool.view();
  if (view.free === 1 && view.total === 1 && view.enis.length === 1) break;
}
await pool.close();
process.disconnect();
