import { CertificateKeeper } from "@terway/controlplane";
import { type KubeClient, pathOf, type Resource, read } from "@terway/kube";
import { type Clock, systemClock } from "@terway/model";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { useControlPlane } from "../control-plane-fixture.ts";

/** Certificates of the webhooks at a real API server; only the clock is ahead. */
const plane = useControlPlane();
const secrets: Resource = { apiVersion: "v1", plural: "secrets", kind: "Secret", namespaced: true };
const mutating: Resource = {
  ...{ apiVersion: "admissionregistration.k8s.io/v1", plural: "mutatingwebhookconfigurations" },
  ...{ kind: "MutatingWebhookConfiguration", namespaced: false },
};
const lifeMs = 3 * 3_600_000;
const name = "terway-controlplane";
const secretName = `${name}-webhook-cert`;
let client: KubeClient;
let aheadMs = 0;
const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs };

beforeAll(async () => {
  ({ client } = plane());
  const webhook = (which: string) => ({
    ...{ name: `${which}.terway.network.alibabacloud.com`, admissionReviewVersions: ["v1"], sideEffects: "None", failurePolicy: "Ignore" },
    clientConfig: { service: { namespace: "kube-system", name, path: "/mutating" } },
    rules: [{ apiGroups: ["example.test"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["things"] }],
  });
  await client.call({
    method: "POST",
    path: pathOf(mutating),
    body: { apiVersion: mutating.apiVersion, kind: mutating.kind, metadata: { name }, webhooks: [webhook("a"), webhook("b")] },
  });
});

const configurationSchema = z.object({
  webhooks: z.array(
    z.object({
      failurePolicy: z.string(),
      clientConfig: z.object({ caBundle: z.string().default(""), service: z.object({ path: z.string() }) }),
    }),
  ),
});
async function bundles() {
  const { webhooks } = configurationSchema.parse(await read(client, { resource: mutating, name }));
  return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle, "base64").toString("utf8"));
}
const authorities = async () => (await bundles()).map((bundle) => (bundle.match(/BEGIN CERTIFICATE/g) ?? []).length);

function keeper(leads = true) {
  const served: string[] = [];
  const log = { info: () => {}, warn: () => {} } as unknown as ConstructorParameters<typeof CertificateKeeper>[0]["log"];
  const one = new CertificateKeeper({
    ...{ client, clock, log, name, namespace: "kube-system", clusterDomain: "cluster.local", lifeMs, leads: () => leads },
    onCertificate: ({ certificate }) => served.push(certificate),
  });
  return { served, look: () => one.look() };
}

test("one is made, trusted by every webhook, and served by all replicas; nothing else of the configuration changes", async () => {
  const [leader, other] = [keeper(), keeper(false)];
  await leader.look();
  await other.look();
  expect(leader.served).toHaveLength(1);
  expect(other.served).toEqual(leader.served);
  expect(await authorities()).toEqual([1, 1]);
  const { webhooks } = configurationSchema.parse(await read(client, { resource: mutating, name }));
  expect(webhooks.map(({ failurePolicy, clientConfig }) => [failurePolicy, clientConfig.service.path])).toEqual([
    ["Ignore", "/mutating"],
    ["Ignore", "/mutating"],
  ]);
  await leader.look();
  expect(leader.served).toHaveLength(1);
});

test("in the last third of its life the next one follows, trusted beside it, and when the old one is over alone", async () => {
  const [leader, other] = [keeper(), keeper(false)];
  await leader.look();
  await other.look();
  aheadMs = lifeMs * 0.7;
  await other.look();
  expect(other.served).toHaveLength(1);
  await leader.look();
  expect(leader.served).toHaveLength(2);
  expect(await authorities()).toEqual([2, 2]);
  await other.look();
  expect(other.served).toEqual(leader.served);
  aheadMs = lifeMs * 1.4;
  await leader.look();
  expect(leader.served).toHaveLength(3);
  expect(await authorities()).toEqual([2, 2]);
});

test("a Secret that is gone, and a configuration that somebody changed, are put right", async () => {
  const leader = keeper();
  await leader.look();
  await client.call({ method: "DELETE", path: pathOf(secrets, "kube-system", secretName) });
  await leader.look();
  expect(leader.served).toHaveLength(2);
  expect(await authorities()).toEqual([1, 1]);
  const before = await bundles();
  await client.call({
    method: "PATCH",
    path: pathOf(mutating, undefined, name),
    contentType: "application/json-patch+json",
    body: [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }],
  });
  await leader.look();
  expect(await bundles()).toEqual(before);
});
