import type { TestResult } from "../../runner/result.ts";
import type { Kernel } from "../guest/artifacts.ts";
import type { Selection } from "./extent.ts";

/** What a suite is given. Folders and images that it makes lie in `folder`, which goes away with the run. */
export interface SuiteContext {
  readonly kernel: Kernel;
  readonly userland: string;
  /** A folder of this run, shared by all suites of it. */
  readonly folder: string;
  /** Takes what the datapath's probe said of the kernel. */
  readonly probed: (output: string) => void;
  readonly selection: Selection;
  /** One line of progress. */
  readonly say: (line: string) => void;
}

/** Runs in one guest; every result's name begins with the kernel. Throws only when it cannot be set up. */
export type Suite = (context: SuiteContext) => Promise<TestResult[]>;
