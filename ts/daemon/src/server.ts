import { type Clock, type CniRequest, cniCode, cniRequestSchema } from "@terway/model";
import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { Answers } from "./answers.ts";
import { Deadline } from "./deadline.ts";
import { CniError, StoppingError, toCniFailure } from "./failure.ts";
import type { Node } from "./node.ts";
import { parsePluginConf } from "./plugin-conf.ts";
import { add } from "./verb/add.ts";
import { check } from "./verb/check.ts";
import { del } from "./verb/del.ts";
import { gc } from "./verb/gc.ts";
import { status } from "./verb/status.ts";

interface Answer {
  readonly status: 200 | 422 | 503;
  /** Absent: the executable prints nothing. */
  readonly body?: unknown;
}

/** As the executable: a GC that lists 1,000 attachments is about 100 kB. */
const maxBodyBytes = 2 << 20;
/** Longer than any retry of the executable, which ends after 10 s. */
const keepAnswersMs = 30_000;
const newest = "1.1.0";

const verbs = ["add", "del", "check", "gc", "status"] as const;
type Verb = (typeof verbs)[number];

/** The CNI side of the socket. `stopping` ends it: whatever is asked from then on, or still waits, is answered 503 and goes to the next daemon. */
export class CniServer {
  readonly app: FastifyInstance;
  readonly #node: Node;
  /** How to end each call that waits. Not one promise that all race with: that would remember every call ever made. */
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #answers: Answers<Answer>;
  #draining = false;
  /** Requests of any kind whose answer is not written yet. */
  #underWay = 0;
  #onIdle: (() => void) | undefined;

  constructor(node: Node) {
    this.#node = node;
    this.#answers = new Answers(node.clock, { keepMs: keepAnswersMs, limit: 1024 });
    this.app = Fastify({
      logger: false,
      bodyLimit: maxBodyBytes,
      // What an attacker could do with such keys ends at the schema; refusing them would look like a lost answer.
      onProtoPoisoning: "remove",
      onConstructorPoisoning: "remove",
      forceCloseConnections: "idle",
    });
    this.app.addHook("onRequest", (_request, _reply, done) => {
      this.#underWay++;
      done();
    });
    this.app.addHook("onResponse", (_request, _reply, done) => {
      this.#underWay--;
      if (this.#underWay === 0) this.#onIdle?.();
      done();
    });
    for (const verb of verbs) {
      this.app.post(`/v1/cni/${verb}`, (request, reply) => this.#serve(verb, request.body, reply));
    }
    this.app.setErrorHandler((error, request, reply) => {
      if (!request.url.startsWith("/v1/cni/")) throw error;
      const message = error instanceof Error ? error.message : String(error);
      return reply.code(422).send(toCniFailure(new CniError(cniCode.decodeFailure, `request: ${message}`), newest));
    });
  }

  /** Refuses what comes, waits for what is under way, then answers what still waits with 503. */
  async drain(clock: Clock, limitMs: number): Promise<void> {
    this.#draining = true;
    if (this.#underWay > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      await Promise.race([idle, clock.sleep(limitMs)]);
    }
    for (const end of this.#waiting) end(new StoppingError());
    await this.app.close();
  }
  async #serve(verb: Verb, body: unknown, reply: FastifyReply): Promise<FastifyReply> {
    const started = this.#node.clock.monotonicMs();
    const answer = await this.#answer(verb, body);
    this.#node.metrics.rpc(verb.toUpperCase(), answer.status !== 200, this.#node.clock.monotonicMs() - started);
    return answer.body === undefined ? reply.code(answer.status).send() : reply.code(answer.status).send(answer.body);
  }

  #answer(verb: Verb, body: unknown): Promise<Answer> {
    if (this.#draining) return Promise.resolve({ status: 503, body: toCniFailure(new StoppingError(), newest) });
    const request = cniRequestSchema.safeParse(body);
    if (!request.success) {
      const problems = request.error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ");
      return Promise.resolve({ status: 422, body: toCniFailure(new CniError(cniCode.decodeFailure, `request: ${problems}`), newest) });
    }
    return this.#answers.once(
      `${verb} ${request.data.requestId}`,
      () => this.#perform(verb, request.data),
      (answer) => answer.status === 200 && verb !== "status",
    );
  }

  async #perform(verb: Verb, request: CniRequest): Promise<Answer> {
    const version = typeof request.config.cniVersion === "string" ? request.config.cniVersion : newest;
    try {
      const body = await this.#untilStopping(this.#dispatch(verb, request));
      return body === undefined ? { status: 200 } : { status: 200, body };
    } catch (error) {
      const failure = toCniFailure(error, version);
      if (error instanceof StoppingError) return { status: 503, body: failure };
      const { CNI_CONTAINERID: containerId, CNI_IFNAME: ifName } = request.env;
      const fields = { verb: verb.toUpperCase(), id: `${containerId ?? ""}/${ifName ?? ""}`, code: failure.code };
      if (error instanceof CniError) this.#node.log.warn(fields, failure.msg);
      else this.#node.log.error({ ...fields, err: error }, "unexpected failure");
      return { status: 422, body: failure };
    }
  }

  #untilStopping<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      work.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  async #dispatch(verb: Verb, request: CniRequest): Promise<unknown> {
    this.#node.failpoint(`call.${verb}`);
    const deadline = new Deadline(this.#node.clock, request.deadlineMs);
    switch (verb) {
      case "status":
        return status(this.#node);
      case "gc":
        return gc(this.#node, { conf: parsePluginConf(request.config), deadline });
      // The configuration plays no part in DEL: it may have been broken since the ADD, and the pod must go all the same.
      case "del":
        return del(this.#node, { ...containerOf(request), netns: request.env.CNI_NETNS ?? "", deadline });
      case "add":
      case "check": {
        const { CNI_NETNS: netns, CNI_ARGS: args } = request.env;
        const call = {
          ...containerOf(request),
          netns: required(netns, "CNI_NETNS"),
          ...(args === undefined ? {} : { args }),
          conf: parsePluginConf(request.config),
          deadline,
        };
        return verb === "add" ? add(this.#node, call) : check(this.#node, call);
      }
    }
  }
}

function containerOf(request: CniRequest): { containerId: string; ifName: string } {
  const { CNI_CONTAINERID: containerId, CNI_IFNAME: ifName } = request.env;
  return { containerId: required(containerId, "CNI_CONTAINERID"), ifName: required(ifName, "CNI_IFNAME") };
}

/** The executable has checked it already; another client of the socket may not have. */
function required(value: string | undefined, name: string): string {
  if (!value) throw new CniError(cniCode.invalidEnvironment, `environment: ${name} is missing or empty`);
  return value;
}
