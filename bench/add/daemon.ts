import { installTerway, type Lab, type LabNode, type ProcessRecord, startTerwayd, terwaydConfig, waitForConflist } from "@terway/lab";

/** Long enough to be on the path, short enough that a churn of thousands finds rested addresses. */
const coolDownSeconds = 1;

export interface DaemonOptions {
  /** Addresses (pairs, in dual stack) that are free when the daemon is warm. */
  readonly free: number;
  readonly ipStack: "ipv4" | "dual";
  /** Keys of `eni_conf`. */
  readonly keys?: Readonly<Record<string, unknown>>;
  /** Further flags. */
  readonly args?: readonly string[];
}

/** Starts terwayd; resolves when it is warm. */
export async function startDaemon(
  lab: Lab,
  machine: Lab["world"]["nodes"][number],
  node: LabNode,
  options: DaemonOptions,
): Promise<ProcessRecord> {
  const { free, ipStack, keys = {}, args = [] } = options;
  await installTerway(node, { ...terwaydConfig(lab.world, machine, { min: free, max: free }), ipStack, extra: keys });
  const daemon = await startTerwayd(node, { args: ["--cool-down", String(coolDownSeconds), ...args] });
  await waitForConflist(node, daemon, 120_000);
  return daemon;
}
