/** Where a crash test stops the daemon: the pool's own steps and those of `node.ts`. */
export type Failpoint = (step: string) => void;

const form = /^([a-z.-]+)(?:@([a-z]+))?(?::(\d+))?$/;

/**
 * Test hook. `TERWAY_FAILPOINT=STEP[@VERB][:N]` ends the process as `kill -9` does when the step is reached (for the Nth time; after the first call of the
 * verb, because a start passes many of the steps, too). Without the variable nothing is ever looked at. Throws when it cannot be read.
 */
export function openFailpoint(setting: string | undefined, kill: () => void): Failpoint {
  if (setting === undefined) return () => {};
  const match = form.exec(setting);
  if (match === null) throw new Error(`TERWAY_FAILPOINT=${setting} is not STEP[@VERB][:N]`);
  const [, name, verb, count = "1"] = match;
  let left = Number(count);
  let armed = verb === undefined;
  return (step) => {
    if (step === `call.${verb}`) armed = true;
    if (!armed || step !== name) return;
    left--;
    if (left === 0) kill();
  };
}
