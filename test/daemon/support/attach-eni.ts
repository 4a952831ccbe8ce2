/**
 * What a control plane does for one pod: an ENI of its own, attached to the instance. A program, because the simulated OpenAPI is reached from the
 * machine's network only: `node attach-eni.ts '{"endpoint": …, …}'`, prints the ENI as JSON.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openCloud, openCredentials } from "@terway/cloud";
import { Secret, systemClock, systemRandom } from "@terway/model";
import { z } from "zod";

const input = z
  .object({
    endpoint: z.url(),
    regionId: z.string(),
    accessKeyId: z.string(),
    accessKeySecret: z.string(),
    instanceId: z.string(),
    vSwitchId: z.string(),
    securityGroupId: z.string(),
  })
  .parse(JSON.parse(process.argv[2] ?? ""));

const endpoint = new URL(input.endpoint);
const cloud = openCloud({
  regionId: input.regionId,
  endpoints: { ecs: endpoint, vpc: endpoint },
  credentials: openCredentials({
    clock: systemClock,
    accessKey: () => ({ id: new Secret(input.accessKeyId), secret: new Secret(input.accessKeySecret) }),
  }),
  clock: systemClock,
  random: systemRandom,
});
const eni = await cloud.createEni({
  vSwitchId: input.vSwitchId,
  securityGroupIds: [input.securityGroupId],
  type: "Secondary",
  secondaryIpv4Count: 0,
  ipv6Count: 0,
  tags: { creator: "terway-controller" },
  clientToken: randomUUID(),
});
const status = async () => (await cloud.describeEnis({ eniIds: [eni.id] }))[0]?.status;
while ((await status()) !== "Available") await sleep(50);
await cloud.attachEni(eni.id, input.instanceId);
while ((await status()) !== "InUse") await sleep(50);
process.stdout.write(JSON.stringify({ id: eni.id, mac: eni.mac, ipv4: eni.primaryIpv4 }));
