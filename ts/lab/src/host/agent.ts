import { z } from "zod";
import { run } from "./command.ts";
import { inNetNamespace } from "./netns.ts";

/** Ports that `lab-agent serve` has in pods, on nodes and elsewhere. */
const agentTcpPort = 7;
const agentUdpPort = 7;
export const serveArguments = ["serve", "--tcp", String(agentTcpPort), "--udp", String(agentUdpPort)] as const;

export interface Probe {
  readonly id: string;
  readonly proto: "tcp" | "udp" | "icmp";
  readonly addr: string;
  /** Default: that of `lab-agent serve`. */
  readonly port?: number;
  readonly timeoutMs?: number;
  /** Address to send from; the kernel's choice without it. */
  readonly source?: string;
}

const greetingSchema = z.object({ pod: z.string(), client: z.string() });
const outcomesSchema = z.array(
  z.object({ id: z.string(), ok: z.boolean(), rttUs: z.number().optional(), reply: z.string().optional(), error: z.string().optional() }),
);

export interface ProbeOutcome {
  readonly id: string;
  readonly ok: boolean;
  readonly rttUs?: number;
  readonly error?: string;
  /** Who answered, and the source address that the probe arrived with; not for ICMP. */
  readonly server?: { readonly pod: string; readonly client: string };
}

/** Runs the probes at once from inside the network namespace; outcomes in the order of the probes. */
export async function probe(agent: string, netns: string, probes: readonly Probe[]): Promise<ProbeOutcome[]> {
  const asked = probes.map((one) => (one.proto === "icmp" ? one : { port: one.proto === "tcp" ? agentTcpPort : agentUdpPort, ...one }));
  const { stdout } = await run(inNetNamespace(netns, [agent, "probe"]), { input: JSON.stringify(asked) });
  return outcomesSchema.parse(JSON.parse(stdout)).map(({ id, ok, rttUs, reply, error }) => ({
    id,
    ok,
    ...(rttUs === undefined ? {} : { rttUs }),
    ...(error === undefined ? {} : { error }),
    ...(ok && reply !== undefined ? { server: greetingSchema.parse(JSON.parse(reply)) } : {}),
  }));
}
