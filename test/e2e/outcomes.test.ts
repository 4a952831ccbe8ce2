import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { outcomes } from "./outcomes.ts";

test("each spec is told once, without what Ginkgo adds to its name", async () => {
  const output = [
    "[SynchronizedBeforeSuite] PASSED [0.545 seconds]",
    "------------------------------",
    "• [13.117 seconds]",
    "[sig-network] DNS should provide DNS for services [Conformance] [sig-network, Conformance]",
    "k8s.io/kubernetes@v1.36.3/test/e2e/network/dns.go:152",
    "• [FAILED] [19.219 seconds]",
    "[sig-network] HostPort [It] validates [LinuxOnly] [sig-network]",
    "  [FAILED] Failed to connect to exposed host ports",
    "S [SKIPPED] [0.1 seconds]",
    "[sig-network] Skipped [sig-network]",
  ];
  const seen: [boolean, string][] = [];
  await outcomes(Readable.from([`${output.join("\n")}\n`]), (passed, spec) => seen.push([passed, spec]));
  expect(seen).toEqual([
    [true, "[sig-network] DNS should provide DNS for services [Conformance]"],
    [false, "[sig-network] HostPort validates [LinuxOnly]"],
  ]);
});
