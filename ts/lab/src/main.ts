#!/usr/bin/env node
import { Command, InvalidArgumentError } from "commander";
import { runDemo } from "./demo/demo.ts";
import { labIdSchema } from "./host/lab-directory.ts";
import { serveLab } from "./lab/server.ts";

/** `terway-lab`: the demo for people, and the server process that a lab starts for itself. */
const program = new Command("terway-lab").description("A VPC in a box: simulated cloud, ENI fabric, nodes with a real container runtime");

const id = ["--id <id>", "run id; everything the lab makes carries it", parseId, "demo"] as const;

program
  .command("demo")
  .description("Build a VPC and two nodes, run pods on them, measure that they reach each other, remove everything")
  .option(...id)
  .option("--keep", "leave everything running and say how to look around")
  .option("--down", "remove what --keep or a crash left")
  .option("--runtime <name>", "container runtime of the nodes: debian or containerd-2", parseRuntime, "debian" as const)
  .action(async (options: { id: string; keep?: true; down?: true; runtime: "debian" | "containerd-2" }) => {
    const mode = options.down === true ? "down" : options.keep === true ? "keep" : "run";
    process.exitCode = await runDemo({ id: options.id, mode, runtime: options.runtime }, process.stdout);
  });

program
  .command("serve", { hidden: true })
  .description("The lab's own server; started inside the VPC's namespace")
  .option(...id)
  .action((options: { id: string }) => serveLab(options.id));

function parseId(text: string): string {
  const parsed = labIdSchema.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError("1 to 16 lower-case letters and digits.");
  return parsed.data;
}

function parseRuntime(text: string): "debian" | "containerd-2" {
  if (text !== "debian" && text !== "containerd-2") throw new InvalidArgumentError("debian or containerd-2.");
  return text;
}

// Whoever reads the output may go early (`| head`); what was built must be removed all the same.
process.stdout.on("error", () => {});

await program.parseAsync();
