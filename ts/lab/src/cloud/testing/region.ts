import type { WireParameters } from "../parameters.ts";
import { ScriptedClock } from "../scripted-clock.ts";
import { CloudSimulator, type SimulatorOptions } from "../simulator.ts";

/** A small region under a scripted clock, for tests of the core. */
export const ids = { vpc: "vpc-t", vSwitch: "vsw-t", tiny: "vsw-tiny", group: "sg-t", instance: "i-t", regionId: "cn-hangzhou" } as const;

export async function openRegion(options: Omit<SimulatorOptions, "clock"> = {}) {
  const clock = new ScriptedClock();
  const simulator = new CloudSimulator({ ...options, clock, settings: { delays: "instant" } });
  if (options.settings !== undefined) simulator.settings(options.settings);
  simulator.createVpc({ id: ids.vpc, cidr: "10.0.0.0/8", ipv6Cidr: "2408:1:2:300::/56" });
  simulator.createVSwitch({ id: ids.vSwitch, vpcId: ids.vpc, cidr: "10.0.0.0/24", ipv6Cidr: "2408:1:2:301::/64" });
  simulator.createVSwitch({ id: ids.tiny, vpcId: ids.vpc, cidr: "10.0.1.0/29" });
  simulator.createSecurityGroup({ id: ids.group, vpcId: ids.vpc });
  await simulator.createInstance({ id: ids.instance, type: "ecs.g7.xlarge", vSwitchId: ids.vSwitch, securityGroupIds: [ids.group] });

  const region = {
    simulator,
    clock,
    /** Calls without a key, advancing the clock until the answer is there. */
    async call(action: string, parameters: WireParameters) {
      const pending = simulator.call(action, parameters);
      pending.catch(() => undefined);
      await clock.advance(0);
      return pending;
    },
    /** The code of the refusal, or `ok`. */
    async code(action: string, parameters: WireParameters): Promise<string> {
      return region.call(action, parameters).then(
        () => "ok",
        (error: { code?: string }) => error.code ?? "no ApiError",
      );
    },
    async createEni(parameters: WireParameters = {}): Promise<string> {
      const body = await region.call("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, ...parameters });
      return String(body.NetworkInterfaceId);
    },
    async attachEni(parameters: WireParameters = {}, instanceId: string = ids.instance): Promise<string> {
      const eniId = await region.createEni(parameters);
      await region.call("AttachNetworkInterface", { NetworkInterfaceId: eniId, InstanceId: instanceId });
      await clock.advance(0);
      return eniId;
    },
    eni(id: string) {
      const eni = simulator.state().enis.get(id);
      if (eni === undefined) throw new Error(`there is no ENI ${id}`);
      return eni;
    },
  };
  return region;
}
export type Region = Awaited<ReturnType<typeof openRegion>>;
