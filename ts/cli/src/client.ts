import { request } from "node:http";
import { adminFailureSchema, adminPrefix } from "@terway/model";
import type { z } from "zod";

/** No daemon answers at the socket. */
export class DaemonAway extends Error {
  override readonly name = "DaemonAway";
}

/** The daemon answered, but not with what was asked for. */
export class Refused extends Error {
  override readonly name = "Refused";
}

const timeoutMs = 30_000;

const causes: Readonly<Record<string, string>> = {
  ENOENT: "there is no socket; is terwayd running on this node?",
  ECONNREFUSED: "nobody listens there; terwayd has ended",
  EACCES: "permission denied; run as root",
  ECONNRESET: "the connection was cut; terwayd is being restarted",
};

/** One question to the daemon, answered as the schema says. Throws {@link DaemonAway} or {@link Refused}. */
export async function ask<T extends z.ZodType>(socket: string, path: string, schema: T, body?: unknown): Promise<z.infer<T>> {
  const { status, text } = await exchange(socket, `${adminPrefix}${path}`, body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused(`terwayd answered ${status} with what is no JSON; is ${socket} really its socket?`);
  }
  if (status !== 200) {
    const failure = adminFailureSchema.safeParse(value);
    throw new Refused(failure.success ? failure.data.error : `terwayd answered ${status}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Refused(`terwayd is of another version: its answer to ${path} is not understood`);
  return parsed.data;
}

/** One request over a unix socket, whatever it answers. Throws {@link DaemonAway}. */
export function exchange(socketPath: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
    const away = (why: string) => reject(new DaemonAway(`cannot reach terwayd at ${socketPath}: ${why}`));
    const call = request(
      { socketPath, path, method: payload === undefined ? "GET" : "POST", headers, timeout: timeoutMs, agent: false },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => {
          text += part;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on("error", (error) => away(error.message));
      },
    );
    call.on("timeout", () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    call.on("error", (error: NodeJS.ErrnoException) => away(causes[error.code ?? ""] ?? error.message));
    call.end(payload);
  });
}
