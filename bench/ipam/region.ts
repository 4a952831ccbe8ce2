import { openCloud } from "@terway/cloud";
import { CloudSimulator } from "@terway/lab";
import type { Clock, Cloud, Random } from "@terway/model";

export const regionId = "cn-hangzhou";
const instanceType = "ecs.g7.4xlarge";
const nodesPerVSwitch = 250;

export interface Region {
  readonly cloud: Cloud;
  readonly instances: readonly { readonly instanceId: string; readonly vSwitchId: string }[];
  readonly instanceType: string;
  readonly securityGroupId: string;
  readonly zoneId: string;
  /** Calls since the last time this was asked, by operation. */
  calls(): Readonly<Record<string, number>>;
}

/** A region of the simulator with delays of a real one, and the product's own cloud over it: rate limits, retries and decoding are what they are. */
export async function openRegion(count: number, clock: Clock, random: Random): Promise<Region> {
  const simulator = new CloudSimulator({ clock, settings: { delays: "realistic", maxClockSkewMs: null } });
  const vpcId = "vpc-b";
  const securityGroupId = "sg-b";
  const zoneId = "cn-hangzhou-i";
  simulator.createVpc({ id: vpcId, cidr: "10.0.0.0/8" });
  // A normal group holds 6,000 addresses.
  simulator.createSecurityGroup({ id: securityGroupId, vpcId, type: "enterprise" });
  const vSwitches = Array.from({ length: Math.ceil(count / nodesPerVSwitch) }, (_, index) => `vsw-${index}`);
  for (const [index, id] of vSwitches.entries())
    simulator.createVSwitch({ id, vpcId, zoneId, cidr: `10.${index >> 2}.${(index & 3) * 64}.0/18` });
  const instances = Array.from({ length: count }, (_, index) => ({
    instanceId: `i-${index}`,
    vSwitchId: vSwitches[Math.floor(index / nodesPerVSwitch)] ?? "",
  }));
  for (const { instanceId, vSwitchId } of instances)
    await simulator.createInstance({ id: instanceId, type: instanceType, vSwitchId, securityGroupIds: [securityGroupId] });
  let calls: Record<string, number> = {};
  const cloud = openCloud({
    ...{ regionId, clock, random, callsAtOnce: 64 },
    credentials: { current: () => Promise.reject(new Error("nobody signs")), refused: () => {} },
    onCall: ({ action }) => {
      calls[action] = (calls[action] ?? 0) + 1;
    },
    send: async ({ action }, query) => {
      const parameters = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const]));
      try {
        return JSON.stringify(await simulator.call(action, Object.fromEntries([["RegionId", regionId], ...parameters])));
      } catch (error) {
        // As the SDK throws what the cloud refuses.
        const { code, status, message } = error as { code?: string; status?: number; message?: string };
        if (code === undefined) throw error;
        throw Object.assign(new Error(message), { code, statusCode: status, data: { Message: message } });
      }
    },
  });
  return {
    ...{ cloud, instances, instanceType, securityGroupId, zoneId },
    calls: () => {
      const counted = calls;
      calls = {};
      return counted;
    },
  };
}
