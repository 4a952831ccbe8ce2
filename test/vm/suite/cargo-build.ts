import { z } from "zod";
import { run, tail } from "../../runner/command.ts";

/** What the netns tier builds: the same arguments, so that it is built once for both. */
const built = ["-p", "terway-datapath", "-p", "terway-bpf", "-p", "terway-lab-agent", "-p", "terway-floor", "--test", "*"];

/** Whose tests run in guests. The others are the lab's and the bench's own, with figures in them that an emulated processor cannot reach. */
const guestPackages = ["terway-datapath", "terway-bpf"];

const artifactSchema = z.object({
  reason: z.literal("compiler-artifact"),
  package_id: z.string(),
  target: z.object({ name: z.string(), kind: z.array(z.string()) }),
  executable: z.string(),
});

export interface BuiltTests {
  /** Paths of the test programs. */
  readonly tests: readonly string[];
  /** Paths of the programs that the tests start; their absolute paths are compiled into the tests. */
  readonly programs: readonly string[];
}

/** Builds the tests that need real kernel objects, for this machine: the guests' userland has the same C library. */
export async function buildTests(): Promise<BuiltTests> {
  const outcome = await run("cargo", ["test", "--locked", "--no-run", "--color=never", "--message-format=json", ...built]);
  if (outcome.code !== 0) throw new Error(`the tests do not build:\n${tail(outcome.output.replaceAll(/^\{.*\n/gm, ""), 40)}`);
  const artifacts = outcome.output
    .split("\n")
    .filter((line) => line.startsWith('{"reason":"compiler-artifact"'))
    .map((line) => artifactSchema.safeParse(JSON.parse(line)).data)
    .filter((artifact) => artifact !== undefined);
  const of = (kind: string) => artifacts.filter(({ target }) => target.kind.includes(kind));
  const tests = of("test").filter(({ package_id }) => guestPackages.some((name) => package_id.includes(`#${name}@`)));
  return { tests: tests.map(({ executable }) => executable), programs: of("bin").map(({ executable }) => executable) };
}
