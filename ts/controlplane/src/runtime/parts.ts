import type { KubeClient } from "@terway/kube";
import type { Clock, MemberCloud, Random } from "@terway/model";
import type { Informers } from "../cluster/informers.ts";
import type { CtrlConfig } from "../config/ctrl-config.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "./metrics.ts";
import type { VSwitches } from "./v-switches.ts";

/** What controllers are made of. */
export interface ControllerParts {
  readonly config: CtrlConfig;
  readonly client: KubeClient;
  readonly informers: Informers;
  /** Behind the one gate: rate limits, degradation, calls at once. */
  readonly cloud: MemberCloud;
  readonly vSwitches: VSwitches;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}
