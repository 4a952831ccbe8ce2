import { createServer } from "node:net";
import { systemClock, systemRandom } from "@terway/model";
import pino from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { serveMetrics } from "./metrics-listener.ts";

test("waits for a port that another daemon still holds, serves the probes, and gives the port back", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const address = holder.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  const stop = new AbortController();
  const warnings: string[] = [];
  const firstWarning = Promise.withResolvers<void>();
  const write = (line: string) => {
    warnings.push(line);
    firstWarning.resolve();
  };
  const log = pino({ level: "warn" }, { write });
  let reason: string | undefined = "the pool is not warm yet";
  const served = serveMetrics({
    ...{ listen: { host: "127.0.0.1", port: address.port }, registry: new Registry(), unready: () => reason, log },
    ...{ clock: systemClock, random: systemRandom, signal: stop.signal },
  });
  await firstWarning.promise;
  expect(warnings[0]).toContain(`--metrics-listen 127.0.0.1:${address.port}`);
  await new Promise((resolve) => holder.close(resolve));
  const ask = async (path: string) => fetch(`http://127.0.0.1:${address.port}${path}`);
  let answer: Response | undefined;
  while (answer === undefined) answer = await ask("/readyz").catch(() => systemClock.sleep(20).then(() => undefined));
  expect([answer.status, await answer.text()]).toEqual([503, "the pool is not warm yet\n"]);
  reason = undefined;
  expect((await ask("/readyz")).status).toBe(200);
  expect((await ask("/healthz")).status).toBe(200);
  expect((await ask("/metrics")).headers.get("content-type")).toContain("text/plain");
  stop.abort();
  await served;
  await expect(ask("/healthz")).rejects.toThrow();
});
