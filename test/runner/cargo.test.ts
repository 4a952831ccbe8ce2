import { expect, test } from "vitest";
import { parseLibtest } from "./cargo.ts";

const output = `
     Running unittests src/lib.rs (target/debug/deps/terway_datapath-0a1b2c)

running 4 tests
test diff::keeps_foreign_routes ... ok
test mode::golden ... FAILED
test slow ... ignored, needs a week
test wave ... ignored, long

successes:

failures:

---- mode::golden stdout ----
thread 'mode::golden' panicked at src/mode.rs:3:5:
left: 1

failures:
    mode::golden

     Running tests/attach.rs (target/debug/deps/attach-ffee01)

running 2 tests
test sends_packets ... ok
test needs_root ... ok

successes:

---- needs_root stdout ----
SKIP needs_root: not run as root
`;

test("every line of libtest becomes one result under its binary's name", () => {
  expect(parseLibtest(output)).toEqual([
    { name: "terway_datapath::diff::keeps_foreign_routes", status: "passed" },
    {
      name: "terway_datapath::mode::golden",
      status: "failed",
      reason: "thread 'mode::golden' panicked at src/mode.rs:3:5:\nleft: 1",
    },
    { name: "terway_datapath::slow", status: "skipped", reason: "needs a week" },
    { name: "attach::sends_packets", status: "passed" },
    { name: "attach::needs_root", status: "skipped", reason: "not run as root" },
  ]);
});
