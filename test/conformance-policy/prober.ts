import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { inNetNamespace, type Probe } from "@terway/lab";
import { z } from "zod";

const outcomesSchema = z.array(z.object({ ok: z.boolean(), reply: z.string().optional(), error: z.string().optional() }));
const greetingSchema = z.object({ pod: z.string() });

/** One probe's end: who answered, or why nobody did. */
export type Answer = { readonly by: string } | { readonly error: string };

/** A question without the name that the caller does not need: outcomes come in the order of the questions. */
export type Question = Required<Pick<Probe, "proto" | "addr" | "port" | "timeoutMs">>;

/** A program in a network namespace that sends whole lists of probes at once, as often as it is asked: starting one for each list takes longer than the probes. */
export class Prober {
  readonly #ask: (line: string) => Promise<string>;
  readonly stop: () => void;

  constructor(agent: string, netns: string) {
    const [file = "", ...args] = inNetNamespace(netns, [agent, "probe", "--lines"]);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#ask = async (line) => {
      child.stdin.write(`${line}\n`);
      const { done, value } = await lines.next();
      if (done === true) throw new Error(`the prober in ${netns} ended`);
      return value;
    };
    this.stop = () => child.stdin.end();
  }

  /** One list at a time. */
  async probe(questions: readonly Question[]): Promise<Answer[]> {
    if (questions.length === 0) return [];
    const probes = questions.map((question, index): Probe => ({ id: String(index), ...question }));
    const outcomes = outcomesSchema.parse(JSON.parse(await this.#ask(JSON.stringify(probes))));
    return outcomes.map(({ ok, reply, error }) =>
      ok && reply !== undefined ? { by: greetingSchema.parse(JSON.parse(reply)).pod } : { error: error ?? "no answer" },
    );
  }
}
