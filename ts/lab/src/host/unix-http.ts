import { request } from "node:http";
import { patient } from "./patience.ts";

/** One JSON request over a unix socket. Throws when the answer's status is no success, with what it says. */
export function requestJson(socket: string, method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
  const text = body === undefined ? "" : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath: socket,
        method,
        path,
        headers: text === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
        timeout: patient(30_000),
      },
      (answer) => {
        let received = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => {
          received += part;
        });
        answer.on("error", reject);
        answer.on("end", () => {
          if (answer.statusCode === undefined || answer.statusCode >= 300) {
            reject(new Error(`${method} ${path}: status ${answer.statusCode}: ${received}`));
            return;
          }
          resolve(received === "" ? undefined : JSON.parse(received));
        });
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${path}: no answer in time`)));
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}
