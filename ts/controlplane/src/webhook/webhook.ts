import Fastify, { type FastifyInstance } from "fastify";
import { ZodError } from "zod";
import { mutatePod } from "./mutate-pod.ts";
import { mutatePodNetworking, validatePodNetworking } from "./pod-networking-rules.ts";
import { type AdmissionRequest, answerOf, denied, reviewSchema, type Verdict } from "./review.ts";
import type { WebhookParts } from "./webhook-parts.ts";

/** Pods are small; an object of the API is at most 3 MiB, and a review holds two. */
const bodyLimit = 8 * 2 ** 20;

/** Paths `/mutating` and `/validate`, as Terway's configurations name them. Serves over TLS with what {@link WebhookServer.use} was given last. */
export class WebhookServer {
  readonly #parts: WebhookParts;
  #app: FastifyInstance | undefined;
  #setContext: ((certificate: { cert: string; key: string }) => void) | undefined;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
  }

  /** Requests can be answered. */
  get serves(): boolean {
    return this.#app !== undefined;
  }

  /** From now on; connections that stand keep what they have. Opens the port at the first time. */
  async use({ certificate, key }: { readonly certificate: string; readonly key: string }): Promise<void> {
    const pair = { cert: certificate, key };
    if (this.#setContext !== undefined) {
      this.#setContext(pair);
      return;
    }
    const app = Fastify({ https: pair, bodyLimit, forceCloseConnections: true });
    this.#setContext = (next) => app.server.setSecureContext(next);
    app.post("/mutating", async (request) => this.#answer("mutating", request.body, (one) => mutate(this.#parts, one)));
    app.post("/validate", async (request) => this.#answer("validate", request.body, async (one) => validate(this.#parts, one)));
    await app.listen({ host: "::", port: this.#parts.config.webhookPort ?? 0 });
    this.#app = app as unknown as FastifyInstance;
  }

  async close(): Promise<void> {
    await this.#app?.close();
  }

  async #answer(webhook: string, body: unknown, judge: (request: AdmissionRequest) => Promise<Verdict>): Promise<object> {
    const { apiVersion, request } = reviewSchema.parse(body);
    const { log, metrics } = this.#parts;
    const { kind } = request.kind;
    try {
      const verdict = await judge(request);
      const changed = verdict.kind === "allowed" && (verdict.patch ?? []).length > 0;
      metrics.admitted(webhook, kind, changed ? "changed" : verdict.kind);
      if (verdict.kind === "denied") log.info({ webhook, kind, namespace: request.namespace }, `${verdict.field}: ${verdict.message}`);
      return answerOf(apiVersion, request.uid, verdict);
    } catch (error) {
      if (error instanceof ZodError) {
        const [issue] = error.issues;
        return answerOf(apiVersion, request.uid, denied(issue?.path.join(".") ?? "", issue?.message ?? "cannot be read"));
      }
      // An answer that is none: the failure policy decides.
      metrics.admitted(webhook, kind, "failed");
      log.error({ err: error, webhook, kind }, "a request for admission failed");
      throw error;
    }
  }
}

async function mutate(parts: WebhookParts, request: AdmissionRequest): Promise<Verdict> {
  if (request.operation !== "CREATE") return { kind: "allowed" };
  if (request.kind.kind === "Pod") return mutatePod(parts, request);
  if (request.kind.kind === "PodNetworking") return mutatePodNetworking(parts, request);
  return { kind: "allowed" };
}

function validate(parts: WebhookParts, request: AdmissionRequest): Verdict {
  const judged = request.kind.kind === "PodNetworking" && (request.operation === "CREATE" || request.operation === "UPDATE");
  return judged ? validatePodNetworking(parts, request) : { kind: "allowed" };
}
