import type { Clock } from "@terway/model";
import type { Informers } from "../cluster/informers.ts";
import type { CtrlConfig } from "../config/ctrl-config.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { VSwitches } from "../runtime/v-switches.ts";

/** What the webhooks judge by. */
export interface WebhookParts {
  readonly config: CtrlConfig;
  readonly informers: Informers;
  readonly vSwitches: VSwitches;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}
