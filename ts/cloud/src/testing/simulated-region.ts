import { CloudSimulator, listen, type SettingsPatch } from "@terway/lab";
import { type Clock, type MemberCloud, systemClock, systemRandom } from "@terway/model";
import type { CallRecord } from "../call.ts";
import { type CloudOptions, openCloud } from "../cloud.ts";
import type { CredentialSource } from "../credentials.ts";

export const names = {
  vSwitch: "vsw-a",
  other: "vsw-b",
  group: "sg-a",
  instance: "i-1",
  key: "LTAItest",
  secret: "secret123",
  role: "node",
};

export function staticCredentials(accessKeyId = names.key, accessKeySecret = names.secret): CredentialSource {
  return { current: () => Promise.resolve({ accessKeyId, accessKeySecret, provider: "static_ak" }), refused: () => undefined };
}

/** The real clock, but pauses between repeats are a fiftieth; deadlines are as they are. */
const hurried: Clock = { ...systemClock, sleep: (delayMs, signal) => systemClock.sleep(delayMs / 50, signal) };

/** A simulated region with one node, reached over HTTP by the real SDK. */
export class SimulatedRegion implements AsyncDisposable {
  readonly simulator: CloudSimulator;
  readonly openapi: URL;
  readonly metadata: URL;
  readonly calls: CallRecord[] = [];

  private constructor(simulator: CloudSimulator, openapi: URL, metadata: URL) {
    this.simulator = simulator;
    this.openapi = openapi;
    this.metadata = metadata;
  }

  static async start(settings: SettingsPatch = {}, clock: Clock = systemClock): Promise<SimulatedRegion> {
    const simulator = new CloudSimulator({ seed: 7, clock, settings: { delays: "instant", ...settings } });
    simulator.createVpc({ id: "vpc-1", cidr: "10.0.0.0/16", ipv6Cidr: "2408:4005:3a1:1900::/56" });
    simulator.createVSwitch({
      id: names.vSwitch,
      vpcId: "vpc-1",
      zoneId: "cn-hangzhou-i",
      cidr: "10.0.1.0/24",
      ipv6Cidr: "2408:4005:3a1:1901::/64",
    });
    simulator.createVSwitch({ id: names.other, vpcId: "vpc-1", zoneId: "cn-hangzhou-i", cidr: "10.0.2.0/29" });
    simulator.createSecurityGroup({ id: names.group, vpcId: "vpc-1" });
    simulator.accessKey({ id: names.key, secret: names.secret });
    simulator.role({ name: names.role });
    await simulator.createInstance({
      id: names.instance,
      type: "ecs.g7.xlarge",
      vSwitchId: names.vSwitch,
      securityGroupIds: [names.group],
      ramRole: names.role,
      ipv6Count: 1,
    });
    const doors = await listen(simulator, { openapi: { host: "127.0.0.1", port: 0 }, metadata: { host: "127.0.0.1", port: 0 } });
    const url = (door: { host: string; port: number } | undefined, path = "/") => new URL(path, `http://${door?.host}:${door?.port}`);
    return new SimulatedRegion(simulator, url(doors.openapi), url(doors.metadata, `/?instance=${names.instance}`));
  }

  cloud(options: Partial<CloudOptions> = {}): MemberCloud {
    return openCloud({
      endpoints: { ecs: this.openapi, vpc: this.openapi },
      regionId: "cn-hangzhou",
      credentials: staticCredentials(),
      clock: hurried,
      random: systemRandom,
      onCall: (record) => this.calls.push(record),
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.simulator.close();
  }
}
