import { request } from "node:http";

/** One GET over a daemon's socket; status 0 when nobody answers. */
export function daemonGet(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, agent: false, timeout: 5_000 }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.on("error", () => resolve({ status: 0, text: "" }));
    call.end();
  });
}

/** Packets that the kernel programs have forwarded past the node's stack, by way. */
export async function forwarded(socketPath: string): Promise<Record<string, number>> {
  const { text } = await daemonGet(socketPath, "/metrics");
  const found = [...text.matchAll(/^terway_policy_packets\{reason="(forwarded_\w+)"[^}]*\} (\d+)/gm)];
  return Object.fromEntries(found.map(([, reason = "", count]) => [reason, Number(count)]));
}
