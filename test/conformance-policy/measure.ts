import { patient } from "@terway/lab";
import type { ApiCluster } from "../../ts/policy/src/testing/api.ts";
import { addressesOf, isExpected, type Party } from "./expected.ts";
import type { Ground } from "./ground.ts";
import type { Answer, Question } from "./prober.ts";
import { type Family, familyOf, type Protocol, protocols, servedPorts } from "./scene.ts";

/** Much longer than an answer takes; what is dropped is waited for so long. */
const firstMs = 300;
/** For what should have been answered and was not: a slow machine is no verdict. */
const secondMs = patient(3_000);

/** One first packet, and what became of it. */
export interface Judged {
  readonly from: string;
  readonly to: string;
  readonly family: Family;
  readonly protocol: Protocol;
  readonly port: number;
  readonly expected: boolean;
  /** Undefined: as expected. */
  readonly wrong?: string;
}

interface Path extends Omit<Judged, "wrong"> {
  readonly address: string;
}

/** Every party probes every other on every port over every protocol and family; pods probe themselves, too. */
export async function measure(ground: Ground, cluster: ApiCluster): Promise<Judged[]> {
  const rows = await Promise.all(ground.parties.map((from) => measureFrom(ground, cluster, from)));
  return rows.flat();
}

async function measureFrom(ground: Ground, cluster: ApiCluster, from: Party): Promise<Judged[]> {
  const paths = pathsFrom(ground, cluster, from);
  const prober = ground.prober(from);
  const answers = await prober.probe(paths.map((path) => question(path, firstMs)));
  const late = paths.flatMap((path, index) => (path.expected && "error" in (answers[index] ?? {}) ? [index] : []));
  const again = await prober.probe(late.flatMap((index) => paths[index] ?? []).map((path) => question(path, secondMs)));
  for (const [position, index] of late.entries()) answers[index] = again[position] ?? { error: "not asked again" };
  return paths.map(({ address: _, ...path }, index): Judged => {
    const wrong = mistake(path, answers[index] ?? { error: "not asked" });
    return wrong === undefined ? path : { ...path, wrong };
  });
}

function pathsFrom(ground: Ground, cluster: ApiCluster, from: Party): Path[] {
  return ground.parties
    .filter((to) => isTarget(from, to))
    .flatMap((to) =>
      addressesOf(cluster, to).flatMap((address) =>
        protocols.flatMap((protocol) =>
          servedPorts.map((port) => {
            const expected = isExpected(cluster, from, to, address, protocol, port);
            return { from: from.key, to: to.key, family: familyOf(address), protocol, port, expected, address };
          }),
        ),
      ),
    );
}

/** Nodes serve nothing; what machines say to each other concerns no policy. */
function isTarget(from: Party, to: Party): boolean {
  return to.kind === "pod" || (to.kind === "outside" && from.kind === "pod");
}

function question({ protocol, address, port }: Path, timeoutMs: number): Question {
  return { proto: protocol.toLowerCase() as Question["proto"], addr: address, port, timeoutMs };
}

function mistake({ to, expected }: Omit<Path, "address">, answer: Answer): string | undefined {
  if ("by" in answer && answer.by !== to) return `answered by ${answer.by}`;
  if (expected === "by" in answer) return undefined;
  return "by" in answer ? "answered, though no rule allows it" : `must be answered: ${answer.error}`;
}

/** For people, for example `x/a → y/b TCP/80 over IPv6: answered, though no rule allows it`. */
export function describe({ from, to, family, protocol, port, wrong }: Judged): string {
  return `${from} → ${to} ${protocol}/${port} over IPv${family}: ${wrong ?? "as expected"}`;
}
