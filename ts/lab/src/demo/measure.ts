import { type Probe, probe } from "../host/agent.ts";
import { until } from "../node/until.ts";
import type { Endpoint, Family, Measurement, Protocol } from "./matrix.ts";

/** Until the server of each endpoint listens: it was started, but a started process is not a listening one. */
export async function awaitServers(agent: string, endpoints: readonly Endpoint[]): Promise<void> {
  const here: Probe = { id: "here", proto: "tcp", addr: "127.0.0.1" };
  for (const { name, netns } of endpoints) {
    await until(`the server of ${name} listens`, 10_000, async () => (await probe(agent, netns, [here])).every((outcome) => outcome.ok));
  }
}

/**
 * Probes from every endpoint to every other over TCP, UDP and ICMP in both families, from inside the source's network namespace. An answer counts
 * when it comes from the right one (the name it says) and arrived there with the source's own address: no translation on the way.
 */
export async function measureMatrix(agent: string, endpoints: readonly Endpoint[]): Promise<Measurement[]> {
  const rows: Measurement[] = [];
  // One source at a time, so that round trips are not those of a crowd.
  for (const from of endpoints)
    rows.push(
      ...(await measureFrom(
        agent,
        from,
        endpoints.filter((to) => to !== from),
      )),
    );
  return rows;
}

async function measureFrom(agent: string, from: Endpoint, targets: readonly Endpoint[]): Promise<Measurement[]> {
  const paths = targets.flatMap((to) =>
    (["tcp", "udp", "icmp"] as const).flatMap((protocol) => ([4, 6] as const).map((family) => ({ to, protocol, family }))),
  );
  const probes = paths.map(({ to, protocol, family }, index): Probe => ({ id: String(index), proto: protocol, addr: address(to, family) }));
  const outcomes = await probe(agent, from.netns, probes);
  return paths.map(({ to, protocol, family }, index) => {
    const outcome = outcomes[index];
    const wrong = outcome?.server === undefined ? undefined : strangeness(outcome.server, from, to, family);
    const error = outcome?.error ?? wrong;
    const path: { from: Endpoint; to: Endpoint; protocol: Protocol; family: Family } = { from, to, protocol, family };
    if (outcome?.ok !== true || outcome.rttUs === undefined || error !== undefined) {
      return { ...path, ms: undefined, ...(error === undefined ? {} : { error }) };
    }
    return { ...path, ms: outcome.rttUs / 1000 };
  });
}

function address(endpoint: Endpoint, family: Family): string {
  return family === 4 ? endpoint.ipv4 : endpoint.ipv6;
}

/** What is wrong with an answer that did come. */
function strangeness(server: { pod: string; client: string }, from: Endpoint, to: Endpoint, family: Family): string | undefined {
  if (server.pod !== to.name) return `answered by ${server.pod}`;
  // A node has one address of each family on each of its interfaces; which one it speaks from is its own choice.
  if (from.kind === "pod" && server.client !== address(from, family)) return `arrived as ${server.client}, not as ${address(from, family)}`;
  return undefined;
}
