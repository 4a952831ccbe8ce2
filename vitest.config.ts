import { defineConfig } from "vitest/config";

/** What is waited for may take its time on a machine that does other things, too. */
const patient = { expect: { poll: { timeout: 10_000 } } };

/** One project a tier, see docs/testing.md. Tests that make kernel objects run one file at a time: they share the machine's devices and time. */
const serial = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000, retry: 1, ...patient };

export default defineConfig({
  test: {
    tags: [
      {
        name: "long",
        description: "left to `npm run test:long`: repeats, waves, outages and layouts of what a shorter test is about, too",
      },
    ],
    projects: [
      {
        test: {
          name: "unit",
          include: ["ts/*/src/**/*.test.ts", "test/{runner,vm,e2e,conformance-policy/cases}/**/*.test.ts", "bench/**/*.test.ts"],
          exclude: ["**/*.netns.test.ts"],
          testTimeout: 60_000,
        },
      },
      { test: { name: "netns", include: ["ts/*/src/**/*.netns.test.ts"], ...serial } },
      {
        test: {
          name: "cloud",
          include: ["test/conformance-cloud/**/*.test.ts"],
          testTimeout: 60_000,
          ...patient,
          // The vendor's CommonJS clients must be imported as Node itself imports them.
          deps: { interopDefault: false },
        },
      },
      { test: { name: "daemon", include: ["test/daemon/**/*.test.ts", "test/conformance-policy/slice.test.ts"], ...serial } },
      { test: { name: "node", include: ["test/node/**/*.test.ts"], ...serial, testTimeout: 300_000, hookTimeout: 300_000 } },
      { test: { name: "cluster", include: ["test/cluster/**/*.test.ts"], ...serial, testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
  },
});
