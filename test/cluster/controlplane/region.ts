import { CloudSimulator, listen, type SettingsPatch } from "@terway/lab";

const accessKey = { id: "LTAItest", secret: "secret123" };
export const zone = "cn-hangzhou-i";

/** A simulated region with three machines of one zone, the first two with a trunk ENI, reached over HTTP. */
export class Region {
  readonly simulator: CloudSimulator;
  readonly url: string;

  private constructor(simulator: CloudSimulator, url: string) {
    this.simulator = simulator;
    this.url = url;
  }

  static async start(settings: SettingsPatch = {}): Promise<Region> {
    const simulator = new CloudSimulator({ seed: 7, settings: { delays: "instant", ...settings } });
    simulator.createVpc({ id: "vpc-1", cidr: "10.0.0.0/16", ipv6Cidr: "2408:4005:3a1:1900::/56" });
    const vSwitch = (id: string, cidr: string, ipv6Cidr?: string) =>
      simulator.createVSwitch({ id, vpcId: "vpc-1", zoneId: zone, cidr, ...(ipv6Cidr === undefined ? {} : { ipv6Cidr }) });
    vSwitch("vsw-nodes", "10.0.1.0/24");
    vSwitch("vsw-pods", "10.0.2.0/24", "2408:4005:3a1:1902::/64");
    vSwitch("vsw-small", "10.0.3.0/29");
    for (const id of ["sg-nodes", "sg-pods"]) simulator.createSecurityGroup({ id, vpcId: "vpc-1" });
    simulator.accessKey(accessKey);
    for (const id of ["i-1", "i-2", "i-3"]) {
      await createInstance(simulator, id);
      if (id === "i-3") continue;
      const wanted = { VSwitchId: "vsw-nodes", "SecurityGroupIds.1": "sg-nodes", InstanceType: "Trunk" };
      const { NetworkInterfaceId } = await simulator.call("CreateNetworkInterface", wanted);
      await simulator.call("AttachNetworkInterface", { NetworkInterfaceId: String(NetworkInterfaceId), InstanceId: id });
    }
    const { openapi } = await listen(simulator, { openapi: { host: "127.0.0.1", port: 0 } });
    return new Region(simulator, `http://${openapi?.host}:${openapi?.port}`);
  }

  addInstance(id: string) {
    return createInstance(this.simulator, id);
  }

  /** ENIs that were made for pods. */
  podEnis() {
    return this.#made().filter(({ type }) => type !== "Trunk");
  }

  /** Trunks that were made for nodes. */
  madeTrunks() {
    return this.#made().filter(({ type }) => type === "Trunk");
  }

  #made() {
    return [...this.simulator.state().enis.values()].filter(({ tags }) => tags.creator === "terway-controller");
  }

  /** `ctrl-secret.yaml`. */
  get secret(): string {
    return `accessKey: ${accessKey.id}\naccessSecret: ${accessKey.secret}\n`;
  }
}

const createInstance = (simulator: CloudSimulator, id: string) =>
  simulator.createInstance({ id, type: "ecs.g7.xlarge", vSwitchId: "vsw-nodes", securityGroupIds: ["sg-nodes"] });
