import { type MappedAddress, type Mapping, mappingSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, paint, table } from "../output.ts";

/** Each ENI with its addresses and pods, as cloud, journal and kernel see them. 1 when they do not agree. */
export async function mapping(socket: string, output: Output): Promise<number> {
  const answer: Mapping = await ask(socket, "/mapping", mappingSchema);
  if (output.json) json(output, answer);
  else print(output, answer);
  return answer.mismatches.length > 0 ? 1 : 0;
}

function print(output: Output, { enis, leases, mismatches, cloudUnknown }: Mapping): void {
  for (const eni of enis) {
    const used = eni.addresses.filter((one) => one.state === "used").length;
    const owner = eni.ours ? "" : ", not ours";
    output.write(
      `${paint(output, "bold", eni.id)}  ${eni.mac}  ${eni.type} ${eni.status}${owner}  ${eni.vSwitchId}  ${used}/${eni.addresses.length} used\n`,
    );
    table(
      output,
      ["  ADDRESS", "STATE", "POD", "CLOUD", "KERNEL"],
      eni.addresses.map((one) => [`  ${one.address}`, one.state, one.pod ?? "-", cloud(output, one), kernel(output, one)]),
    );
  }
  output.write(`${enis.length} ENIs, ${leases.length} leases\n`);
  if (cloudUnknown !== undefined) output.write(`${paint(output, "yellow", "cloud unknown")}: ${cloudUnknown}\n`);
  for (const { object, problem } of mismatches) output.write(`${paint(output, "red", "MISMATCH")} ${object}: ${problem}\n`);
  if (mismatches.length === 0) output.write(`${paint(output, "green", "cloud, journal and kernel agree")}\n`);
}

const cloud = (output: Output, one: MappedAddress) => (one.cloud === "missing" ? paint(output, "red", one.cloud) : one.cloud);

function kernel(output: Output, one: MappedAddress): string {
  if (one.kernel === "none") return "-";
  return one.kernel === "ok" ? one.kernel : paint(output, "red", one.kernel);
}
