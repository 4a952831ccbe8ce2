import { type MetadataView, metadataViewSchema } from "@terway/model";
import { ask } from "../client.ts";
import { json, type Output, table } from "../output.ts";

/** What the instance's metadata says: vSwitch → ENI → addresses. */
export async function metadata(socket: string, output: Output): Promise<number> {
  const answer: MetadataView = await ask(socket, "/metadata", metadataViewSchema);
  if (output.json) {
    json(output, answer);
    return 0;
  }
  const { instanceId, instanceType, regionId, zoneId, vpcId, primaryMac } = answer.identity;
  output.write(`${instanceId}  ${instanceType}  ${regionId} ${zoneId}  ${vpcId}\n`);
  for (const vSwitchId of [...new Set(answer.enis.map((eni) => eni.vSwitchId))]) {
    const enis = answer.enis.filter((eni) => eni.vSwitchId === vSwitchId);
    output.write(`${vSwitchId}  ${enis[0]?.vSwitchCidr ?? ""}  gateway ${enis[0]?.gatewayIpv4 ?? "-"}\n`);
    table(
      output,
      ["  ENI", "MAC", "ROLE", "PRIMARY", "SECONDARY", "IPV6"],
      enis.map((eni) => [
        `  ${eni.eniId}`,
        eni.mac,
        eni.mac === primaryMac ? "primary" : "secondary",
        eni.primaryIpv4,
        eni.ipv4.filter((address) => address !== eni.primaryIpv4).join(" ") || "-",
        eni.ipv6.join(" ") || "-",
      ]),
    );
  }
  return 0;
}
