import type { RuntimeName } from "../node/runtime.ts";
import type { LabRunOptions } from "./lab-run.ts";

export interface DemoOptions extends LabRunOptions {
  readonly runtime: RuntimeName;
  /** Pods come from a real API server, scheduler and kubelets, instead of from the demo itself. */
  readonly kubernetes: boolean;
}
