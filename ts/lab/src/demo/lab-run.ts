import { hostTraces } from "../host/leftovers.ts";
import { sweep } from "../host/sweep.ts";
import { occupancy } from "./occupancy.ts";
import { type Output, Progress } from "./progress.ts";

export interface LabRunOptions {
  readonly id: string;
  /** `run`: build, show, remove; `keep`: build, show, leave running; `down`: remove. */
  readonly mode: "run" | "keep" | "down";
}

/** What a command does with a lab. */
export interface LabStory {
  /** As the last line says it: `demo`. */
  readonly what: string;
  /** The command that removes what `keep` left. */
  readonly downCommand: string;
  /** True when everything held; throws when a step failed. */
  run(progress: Progress): Promise<boolean>;
  /** Addresses that nothing on this machine may mention afterwards. */
  readonly used: readonly string[];
}

/** A command's whole life with a lab. Answers the exit status: 0 only if everything held. Whatever happens, nothing stays but what was asked to. */
export async function runWithLab({ id, mode }: LabRunOptions, story: LabStory, output: Output): Promise<number> {
  const progress = new Progress(output);
  const found = await occupancy(id);
  if (found.state === "busy") {
    progress.say(`Lab "${id}" is at work in process ${found.pid}. Wait for it, or give another --id.`);
    return 1;
  }
  if (mode === "down") return found.state === "free" ? say(progress, `There is no lab "${id}".`) : remove(progress, id, "remove the lab");
  if (found.state === "kept") {
    progress.say(`Lab "${id}" is left running on purpose. Remove it first: ${story.downCommand}`);
    return 1;
  }
  if (found.state === "remains" && (await remove(progress, id, "remove what an earlier run left")) !== 0) return 1;

  const stopListening = onInterrupt(() => {
    progress.say("\nInterrupted.");
    void remove(progress, id, "remove everything").then((status) => process.exit(status === 0 ? 130 : 1));
  });
  let held = false;
  try {
    held = await story.run(progress);
  } catch (error) {
    progress.say(`\n${error instanceof Error ? error.message : String(error)}`);
  }
  if (mode === "keep" && held) {
    stopListening();
    return 0;
  }
  const removed = (await remove(progress, id, "remove everything, look for remains", story.used)) === 0;
  stopListening();
  if (held && removed) return say(progress, "\nAll of it held, and nothing is left.");
  progress.say(held ? "\nSomething is left, see above." : `\nThe ${story.what} failed, see above.`);
  return 1;
}

/** `used`: addresses that nothing on this machine may mention afterwards. */
async function remove(progress: Progress, id: string, name: string, used: readonly string[] = []): Promise<number> {
  try {
    await progress.step(name, async (note) => {
      const left = [...(await sweep(id)), ...(await hostTraces(used))];
      if (left.length > 0) throw new Error(`left behind:\n  ${left.join("\n  ")}`);
      note("no process, namespace, link, route, rule, mount, cgroup or file left");
    });
    return 0;
  } catch (error) {
    progress.say(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function say(progress: Progress, text: string): 0 {
  progress.say(text);
  return 0;
}

/** The first signal starts the handler; further ones change nothing, because removal must not be cut short. */
function onInterrupt(handler: () => void): () => void {
  let called = false;
  const once = () => {
    if (!called) handler();
    called = true;
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.on(name, once);
  return () => {
    for (const name of signals) process.off(name, once);
  };
}
