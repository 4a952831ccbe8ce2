import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import type { Bench } from "../bench.ts";
import { describeMachine } from "../machine.ts";
import { markdown, type RulesResult, svg } from "./report.ts";

const sampleSchema = z.strictObject({
  what: z.enum(["forward", "connect", "connect_pod"]),
  family: z.enum(["ipv4", "ipv6"]),
  form: z.enum(["floor", "per_pod", "compact"]),
  pods: z.int().positive(),
  round: z.int().positive(),
  us: z.number().positive(),
});

/** Runs the crate's own measurement; it has the datapath at hand and needs no daemon. */
export const rules: Bench = {
  name: "rules",
  about: "what a packet and a connect() cost by the form of the rules and the number of pods",
  async run(smoke, say) {
    say("building and running crates/datapath/examples/rule_cost.rs");
    // A smoke run says nothing of time: what the tests have built does.
    const program = [
      "run",
      "--quiet",
      ...(smoke ? [] : ["--release"]),
      "--locked",
      "-p",
      "terway-datapath",
      "--example",
      "rule_cost",
      "--",
    ];
    const { stdout } = await promisify(execFile)("cargo", [...program, ...(smoke ? ["--smoke"] : [])], { maxBuffer: 64 << 20 });
    const samples = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => sampleSchema.parse(JSON.parse(line)));
    const result: RulesResult = { bench: "rules", version: 1, machine: describeMachine(), samples };
    return { result, files: { md: markdown(result), svg: svg(result) } };
  },
};
