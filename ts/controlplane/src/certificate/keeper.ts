import { ApiError, type KubeClient, mergePatch, pathOf, type Resource, read } from "@terway/kube";
import type { Clock } from "@terway/model";
import { z } from "zod";
import type { Logger } from "../log.ts";
import { isGood, trusted } from "./bundle.ts";
import { issueCertificate } from "./issue.ts";

export interface KeeperOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
  /** Of Service and webhook configurations; the Secret is `NAME-webhook-cert`. */
  readonly name: string;
  readonly clusterDomain: string;
  /** The webhooks answer with these from now on. */
  readonly onCertificate: (certificate: { readonly certificate: string; readonly key: string }) => void;
  /** Only one replica at a time issues and tells the API server whom to trust. */
  readonly leads: () => boolean;
  readonly lifeMs?: number;
  readonly periodMs?: number;
}

const fieldManager = "terway-controlplane";
const secrets: Resource = { apiVersion: "v1", plural: "secrets", kind: "Secret", namespaced: true };
const admission = "admissionregistration.k8s.io/v1";
const configurations: readonly Resource[] = [
  { apiVersion: admission, plural: "mutatingwebhookconfigurations", kind: "MutatingWebhookConfiguration", namespaced: false },
  { apiVersion: admission, plural: "validatingwebhookconfigurations", kind: "ValidatingWebhookConfiguration", namespaced: false },
];

const secretSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});
const configurationSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  webhooks: z.array(z.looseObject({ name: z.string(), clientConfig: z.looseObject({ caBundle: z.string().optional() }) })).default([]),
});

const day = 24 * 3_600_000;

/**
 * Certificate and authorities of the webhooks, in a Secret that all replicas read. A third of its life before it ends a new one follows; the API server is told
 * to trust the new authority beside the old one before any replica answers with it. A Secret or configuration that somebody changed is put right in a minute.
 */
export class CertificateKeeper {
  readonly #options: KeeperOptions;
  readonly #dnsNames: readonly string[];
  #served = "";

  constructor(options: KeeperOptions) {
    this.#options = options;
    const host = `${options.name}.${options.namespace}`;
    this.#dnsNames = [`${host}.svc`, host, `${host}.svc.${options.clusterDomain}`];
  }

  /** Until the signal; trouble is told and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, periodMs = 60_000 } = this.#options;
    while (!signal.aborted) {
      let pauseMs = this.#served === "" ? 1_000 : periodMs;
      try {
        await this.look();
        if (this.#served !== "") pauseMs = periodMs;
      } catch (error) {
        log.warn(`certificate of the webhooks: ${error instanceof Error ? error.message : String(error)}`);
      }
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** One comparison of everything with what it shall be. */
  async look(): Promise<void> {
    const { clock, leads, lifeMs = 365 * day, onCertificate } = this.#options;
    const kept = await this.#read();
    const good = kept !== undefined && isGood(kept, this.#dnsNames, clock.wallMs(), lifeMs / 3);
    // Without any, the first that comes makes one: a webhook that does not answer may keep pods from being made.
    if (!good && (leads() || kept === undefined)) await this.#renew(kept, lifeMs);
    const now = good ? kept : await this.#read();
    if (now === undefined) return;
    if (leads()) await this.#tell(now.authority);
    const text = now.certificate + now.key;
    if (text === this.#served || now.certificate === "") return;
    this.#served = text;
    onCertificate(now);
  }

  get #secretName(): string {
    return `${this.#options.name}-webhook-cert`;
  }

  async #read() {
    const { client, namespace } = this.#options;
    const found = await read(client, { resource: secrets, namespace, name: this.#secretName });
    if (found === undefined) return undefined;
    const { metadata, data } = secretSchema.parse(found);
    const text = (key: string) => Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
    return { version: metadata.resourceVersion, authority: text("ca.crt"), certificate: text("tls.crt"), key: text("tls.key") };
  }

  async #renew(before: { readonly version: string; readonly authority: string } | undefined, lifeMs: number): Promise<void> {
    const { client, clock, log, namespace, leads } = this.#options;
    const issued = await issueCertificate(this.#dnsNames, clock.wallMs(), lifeMs);
    const authority = trusted(before?.authority ?? "", issued.authority, clock.wallMs());
    if (leads()) await this.#tell(authority);
    const data = Object.fromEntries(
      Object.entries({ "ca.crt": authority, "tls.crt": issued.certificate, "tls.key": issued.key }).map(([key, value]) => [
        key,
        Buffer.from(value).toString("base64"),
      ]),
    );
    try {
      const body = { apiVersion: "v1", kind: "Secret", type: "Opaque", metadata: { name: this.#secretName, namespace }, data };
      if (before === undefined) await client.call({ method: "POST", path: pathOf(secrets, namespace), body });
      else
        await mergePatch(
          client,
          { resource: secrets, namespace, name: this.#secretName },
          { metadata: { resourceVersion: before.version }, data },
          fieldManager,
        );
      log.info({ secret: this.#secretName }, "a new certificate for the webhooks");
    } catch (error) {
      // Another replica was first.
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
  }

  /** Whom the API server trusts, in every webhook of both configurations; those that are not installed are not told. */
  async #tell(authority: string): Promise<void> {
    const { client, name } = this.#options;
    const caBundle = Buffer.from(authority).toString("base64");
    for (const resource of configurations) {
      const found = await read(client, { resource, name });
      if (found === undefined) continue;
      const { metadata, webhooks } = configurationSchema.parse(found);
      if (webhooks.every(({ clientConfig }) => clientConfig.caBundle === caBundle)) continue;
      const changed = webhooks.map((webhook) => ({ ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } }));
      await mergePatch(
        client,
        { resource, name },
        { metadata: { resourceVersion: metadata.resourceVersion }, webhooks: changed },
        fieldManager,
      );
    }
  }
}
