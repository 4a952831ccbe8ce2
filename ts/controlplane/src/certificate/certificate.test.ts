import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { isGood, trusted } from "./bundle.ts";
import { issueCertificate } from "./issue.ts";

const names = ["terway-controlplane.kube-system.svc", "terway-controlplane.kube-system"];
const day = 24 * 3_600_000;

test("a server that answers with it is trusted by its authority, and by a bundle of the old and the new one", async () => {
  const [old, issued] = [await issueCertificate(names, Date.now(), day), await issueCertificate(names, Date.now() + 1, day)];
  const server = createServer({ cert: issued.certificate, key: issued.key }, (_, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (ca: string) =>
    new Promise<string>((resolve) => {
      get({ host: "127.0.0.1", port, servername: names[0], ca, agent: false }, (answer) =>
        answer.once("data", (data) => resolve(String(data))),
      ).on("error", (error) => resolve(error.message));
    });
  expect(await ask(issued.authority)).toBe("hello");
  expect(await ask(trusted(old.authority, issued.authority, Date.now()))).toBe("hello");
  expect(await ask(old.authority)).not.toBe("hello");
  server.close();
});

test("it is good for its names, by its authority, and while enough of its life is left", async () => {
  const now = Date.now();
  const issued = await issueCertificate(names, now, 3 * day);
  expect(isGood(issued, names, now, day)).toBe(true);
  expect(isGood(issued, [...names, "other.kube-system.svc"], now, day)).toBe(false);
  expect(isGood(issued, names, now + 2.5 * day, day)).toBe(false);
  expect(isGood({ ...issued, authority: (await issueCertificate(names, now, day)).authority }, names, now, day)).toBe(false);
  expect(isGood({ ...issued, certificate: "nonsense" }, names, now, day)).toBe(false);
});

test("an authority that is over is trusted no more", async () => {
  const [first, second] = [await issueCertificate(names, 0, day), await issueCertificate(names, day, day)];
  expect(trusted(first.authority, second.authority, day / 2).match(/BEGIN/g)).toHaveLength(2);
  expect(trusted(first.authority, second.authority, 1.5 * day)).toBe(second.authority);
});
