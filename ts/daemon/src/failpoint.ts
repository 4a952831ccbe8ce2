/** Where a crash test stops the daemon: the pool's own steps and those of `node.ts`. */
export type Failpoint = (step: string) => void;

/**
 * Test hook. `TERWAY_FAILPOINT=STEP` or `STEP:N` ends the process as `kill -9` does when the step is reached (for the Nth time). Without it nothing is
 * ever looked at.
 */
export function openFailpoint(setting: string | undefined, kill: () => void): Failpoint {
  if (setting === undefined) return () => {};
  const [name, count] = setting.split(":");
  let left = Number(count ?? "1");
  return (step) => {
    if (step !== name) return;
    left--;
    if (left === 0) kill();
  };
}
