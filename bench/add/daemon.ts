import { installTerway, type Lab, type LabNode, type ProcessRecord, startTerwayd, terwaydConfig, waitForConflist } from "@terway/lab";

/** Long enough to be on the path, short enough that a churn of thousands finds rested addresses. */
const coolDownSeconds = 1;

/** Starts terwayd with one IPv4 address per pod, as the contenders have; resolves when so many addresses are free. */
export async function startDaemon(lab: Lab, machine: Lab["world"]["nodes"][number], node: LabNode, free: number): Promise<ProcessRecord> {
  await installTerway(node, { ...terwaydConfig(lab.world, machine, { min: free, max: free }), ipStack: "ipv4" });
  const daemon = await startTerwayd(node, { args: ["--cool-down", String(coolDownSeconds)] });
  await waitForConflist(node, daemon, 120_000);
  return daemon;
}
