import { run } from "../host/command.ts";
import { inNetNamespace } from "../host/netns.ts";

/** A member's port and the trunk port that carries its frames, tagged. */
interface MemberPort {
  readonly trunk: string;
  readonly port: string;
  readonly vlan: number;
  readonly trunkMac: string;
}

/** The tags of a VPC's trunks, put on and taken off by programs of ours: the development machines' kernel has no 802.1Q. */
export class TrunkPorts {
  readonly #agent: string;
  readonly #netns: string;

  constructor(agent: string, netns: string) {
    this.#agent = agent;
    this.#netns = netns;
  }

  async add({ trunk, port, vlan, trunkMac }: MemberPort): Promise<void> {
    await this.#run(["add", "--trunk", trunk, "--port", port, "--vlan", String(vlan), "--mac", trunkMac]);
  }

  async remove(port: string): Promise<void> {
    await this.#run(["remove", "--port", port]);
  }

  async #run(words: readonly string[]): Promise<void> {
    await run(inNetNamespace(this.#netns, [this.#agent, "fabric-trunk", ...words]));
  }
}
