/** `npm test` runs the short ones, `npm run test:long` the long ones: vitest's tag "long", `#[ignore = "long"]` in Rust. */
export type Length = "short" | "long";

/** One test of any tier. */
export interface TestResult {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it was skipped, or the first lines of how it failed. */
  readonly reason?: string;
  /** What is worth telling whatever the status. */
  readonly note?: string;
  readonly durationMs?: number;
}

export interface TierResult {
  readonly tier: string;
  readonly results: readonly TestResult[];
  readonly durationMs: number;
}
