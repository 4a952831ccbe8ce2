import { table } from "./table.ts";

export type Protocol = "tcp" | "udp" | "icmp";
export type Family = 4 | 6;

/** One end of a path that the demo measures: a pod, a node, or the host elsewhere in the VPC. */
export interface Endpoint {
  readonly name: string;
  readonly kind: "pod" | "node" | "elsewhere";
  /** Name of the node it is on; undefined for the host elsewhere. */
  readonly node: string | undefined;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Network namespace to measure from, as a path on this machine. */
  readonly netns: string;
}

/** What one probe showed. */
export interface Measurement {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly protocol: Protocol;
  readonly family: Family;
  /** Round trip; undefined when no answer came. */
  readonly ms: number | undefined;
  readonly error?: string;
}

/** The kind of path, as the summary groups them. */
export function pathKind(from: Endpoint, to: Endpoint): string {
  if (from.kind !== "pod" && to.kind !== "pod") return "between machines";
  const arrow = `${from.kind} → ${to.kind}`;
  if (from.kind === "elsewhere" || to.kind === "elsewhere") return arrow;
  return `${arrow}, ${from.node === to.node ? "same node" : "across nodes"}`;
}

/** One row per source, one column per target; a cell says how many of its probes were answered. */
export function renderMatrix(endpoints: readonly Endpoint[], measurements: readonly Measurement[]): string {
  const rows = endpoints.map((from) => [
    from.name,
    ...endpoints.map((to) => {
      const cell = measurements.filter((one) => one.from === from && one.to === to);
      if (cell.length === 0) return "·";
      return `${cell.filter((one) => one.ms !== undefined).length}/${cell.length}`;
    }),
  ]);
  return table(["from \\ to", ...endpoints.map((endpoint) => endpoint.name)], rows);
}

/** Per kind of path and protocol: how many were answered, and the median round trip. */
export function renderSummary(measurements: readonly Measurement[]): string {
  const kinds = [...new Set(measurements.map((one) => pathKind(one.from, one.to)))];
  const columns = (["tcp", "udp", "icmp"] as const).flatMap((protocol) => ([4, 6] as const).map((family) => ({ protocol, family })));
  const rows = kinds.map((kind) => [
    kind,
    ...columns.map(({ protocol, family }) => {
      const chosen = measurements.filter(
        (one) => pathKind(one.from, one.to) === kind && one.protocol === protocol && one.family === family,
      );
      const times = chosen.flatMap((one) => (one.ms === undefined ? [] : [one.ms])).sort((a, b) => a - b);
      const median = times[Math.floor(times.length / 2)];
      return `${times.length}/${chosen.length}${median === undefined ? "" : ` ${median.toFixed(2)} ms`}`;
    }),
  ]);
  return table(["path", ...columns.map(({ protocol, family }) => `${protocol.toUpperCase()} v${family}`)], rows);
}

/** Each probe that got no answer, one line. */
export function renderFailures(measurements: readonly Measurement[]): string[] {
  return measurements
    .filter((one) => one.ms === undefined)
    .map(
      (one) =>
        `${one.from.name} → ${one.to.name} ${one.protocol.toUpperCase()} ${one.family === 4 ? one.to.ipv4 : one.to.ipv6}: ${one.error ?? "no answer"}`,
    );
}
