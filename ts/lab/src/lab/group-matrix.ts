import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { FirstPacket, Verdict } from "../fabric/verdict.ts";
import { verdict } from "../fabric/verdict.ts";
import { type Probe, probe } from "../host/agent.ts";
import { inNetNamespace } from "../host/netns.ts";
import type { SmallVpc } from "./small-vpc.ts";

/** What is asked of every pair of ends: ICMP, or a port that {@link serve} listens on. */
export interface Question {
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly port?: number;
}

/** One end of the matrix: an ENI of the VPC, and the namespace in which its addresses are. */
export interface MatrixEnd {
  readonly eni: string;
  readonly netns: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** The primary ENI of an instance, with its first address of each family. */
export function instanceEnd(vpc: SmallVpc, name: string): MatrixEnd {
  const { netns, ipv4, ipv6 } = vpc.eni(name);
  return { eni: name, netns, ...(ipv4[0] === undefined ? {} : { ipv4: ipv4[0] }), ...(ipv6[0] === undefined ? {} : { ipv6: ipv6[0] }) };
}

/** Starts an echo server in the namespace on the port, over TCP and UDP; resolves when it listens. Answers how to stop it. */
export async function serve(agent: string, netns: string, port: number): Promise<() => void> {
  const [file = "", ...args] = inNetNamespace(netns, [agent, "serve", "--tcp", String(port), "--udp", String(port)]);
  const server = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
  return () => server.kill("SIGTERM");
}

/** One probe of the matrix, with what the groups say of it. */
export interface Judged {
  /** For people, for example `a → b tcp/80 over IPv6`. */
  readonly path: string;
  readonly expected: Verdict;
  readonly answered: boolean;
}

/** Probes every pair of ends with every question over both families, and says what the security groups, as they are now, make of each. */
export async function measureGroups(
  vpc: SmallVpc,
  agent: string,
  ends: readonly MatrixEnd[],
  questions: readonly Question[],
  timeoutMs = 400,
): Promise<Judged[]> {
  const rows = await Promise.all(ends.map((from) => measureFrom(vpc, agent, from, ends, questions, timeoutMs)));
  return rows.flat();
}

async function measureFrom(
  vpc: SmallVpc,
  agent: string,
  from: MatrixEnd,
  ends: readonly MatrixEnd[],
  questions: readonly Question[],
  timeoutMs: number,
): Promise<Judged[]> {
  const groups = vpc.groups();
  const parties = ends.map(({ eni }) => vpc.party(eni));
  const asked = ends
    .filter((to) => to !== from)
    .flatMap((to) => (["ipv4", "ipv6"] as const).flatMap((family) => questions.map((question) => ({ to, family, question }))))
    .flatMap(({ to, family, question }) => {
      const [source, destination] = [from[family], to[family]];
      if (source === undefined || destination === undefined) return [];
      const packet: FirstPacket = { ...question, source, destination };
      const expected = verdict(groups, parties, vpc.party(from.eni), vpc.party(to.eni), packet);
      const what = question.port === undefined ? question.protocol : `${question.protocol}/${question.port}`;
      return [{ path: `${from.eni} → ${to.eni} ${what} from ${source}`, expected, packet }];
    });
  const probes = asked.map(({ packet }, index): Probe => {
    const { protocol: proto, source, destination: addr, port } = packet;
    return { id: String(index), proto, addr, source, timeoutMs, ...(port === undefined ? {} : { port }) };
  });
  const answered = (await probe(agent, from.netns, probes)).map((outcome) => outcome.ok);
  // A slow machine is no refusal: what should have been answered gets a second try with more time.
  const late = asked.flatMap(({ expected }, index) => (expected === "delivered" && answered[index] === false ? [index] : []));
  const again = late.flatMap((index) => probes[index] ?? []).map((one) => ({ ...one, timeoutMs: 3_000 }));
  const outcomes = again.length === 0 ? [] : await probe(agent, from.netns, again);
  for (const [position, index] of late.entries()) answered[index] = outcomes[position]?.ok === true;
  return asked.map(({ path, expected }, index) => ({ path, expected, answered: answered[index] === true }));
}

/** The probes that did not end as the groups say, one line each. */
export function surprises(matrix: readonly Judged[]): string[] {
  return matrix
    .filter(({ expected, answered }) => answered !== (expected === "delivered"))
    .map(({ path, expected, answered }) => `${path}: ${expected}, and ${answered ? "answered" : "not answered"}`);
}
