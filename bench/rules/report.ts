import type { Machine } from "../machine.ts";
import { barChart } from "../plot.ts";
import { type Interval, median, ratioInterval } from "../statistics.ts";

const kinds = ["forward", "connect", "connect_pod"] as const;

/** Processor time of one call in one round. */
export interface Sample {
  readonly what: (typeof kinds)[number];
  readonly family: "ipv4" | "ipv6";
  readonly form: "floor" | "per_pod" | "compact";
  readonly pods: number;
  readonly round: number;
  readonly us: number;
}

export interface RulesResult {
  readonly bench: "rules";
  readonly version: 1;
  readonly machine: Machine;
  readonly samples: readonly Sample[];
}

interface Row {
  readonly what: Sample["what"];
  readonly family: Sample["family"];
  readonly form: Sample["form"];
  readonly pods: number;
  readonly us: number;
  readonly ratio: number;
  readonly interval: Interval;
}

/** Each form beside the floor of the same rounds. */
export function rows(samples: readonly Sample[]): Row[] {
  const of = (what: Sample["what"], family: Sample["family"], form: Sample["form"], pods: number) =>
    samples.filter((each) => each.what === what && each.family === family && each.form === form && each.pods === pods).map(({ us }) => us);
  const counts = [...new Set(samples.map(({ pods }) => pods))];
  return kinds.flatMap((what) =>
    (["ipv4", "ipv6"] as const).flatMap((family) =>
      (["floor", "per_pod", "compact"] as const).flatMap((form) =>
        counts.map((pods) => {
          const [ours, floor] = [of(what, family, form, pods), of(what, family, "floor", pods)];
          const us = median(ours);
          return { what, family, form, pods, us, ratio: us / median(floor), interval: ratioInterval(ours, floor, 0.5) };
        }),
      ),
    ),
  );
}

const titles = {
  forward: "One packet from a pod to beyond the gateway",
  connect: "One connect() of the node itself, to beyond the gateway",
  connect_pod: "One connect() of the node to a pod",
};

export function markdown({ machine, samples }: RulesResult): string {
  const table = rows(samples);
  const counts = [...new Set(table.map(({ pods }) => pods))];
  const section = (what: Row["what"]) => {
    const lines = (["ipv4", "ipv6"] as const).flatMap((family) =>
      (["floor", "per_pod", "compact"] as const).map((form) => {
        const cells = counts.map((pods) => {
          const row = table.find((each) => each.what === what && each.family === family && each.form === form && each.pods === pods);
          if (row === undefined) return "";
          const ratio = `${row.ratio.toFixed(2)} (${row.interval.low.toFixed(2)}–${row.interval.high.toFixed(2)})`;
          return form === "floor" ? `${row.us.toFixed(2)} µs` : `${row.us.toFixed(2)} µs, ${ratio}`;
        });
        return `| ${family} | ${form} | ${cells.join(" | ")} |`;
      }),
    );
    return `## ${titles[what]}\n\n| family | form | ${counts.map((pods) => `${pods} pods`).join(" | ")} |\n|---|---|${"---|".repeat(counts.length)}\n${lines.join("\n")}`;
  };
  return `# What the rules cost

Measured ${machine.measuredAt} at ${machine.commit.slice(0, 12)}${machine.dirty ? " with local changes" : ""} on ${machine.cpus} × ${machine.cpu}, kernel ${machine.kernel}.

Processor time of the thread that does the work, median; ratio to the floor of the same rounds with its 95 % bootstrap interval. *floor*: the same
hops with no rule of ours, by the main table. *per_pod*: Terway's rules. *compact*: the default. The pod that is measured was made last.
The floor has one pod's interface: where nothing names the source of a \`connect()\` over IPv6, the kernel walks all interfaces of the node to choose one, rules or
not, and that grows. The route to a pod names it; on the way out the interface's \`use_oif_addrs_only\` spares the walk.

${section("forward")}

${section("connect")}

${section("connect_pod")}
`;
}

export function svg({ samples }: RulesResult): string {
  const table = rows(samples);
  return barChart({
    title: "Cost beside the floor (1: no rule of ours), by number of pods",
    reference: 1,
    groups: kinds.flatMap((what) =>
      (["ipv4", "ipv6"] as const).flatMap((family) =>
        (["per_pod", "compact"] as const).map((form) => ({
          label: `${titles[what]}, ${family}, ${form}`,
          bars: table
            .filter((row) => row.what === what && row.family === family && row.form === form)
            .map(({ pods, ratio, interval }) => ({ label: `${pods} pods`, value: ratio, ...interval })),
        })),
      ),
    ),
  });
}
