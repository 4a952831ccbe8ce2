/**
 * Every step at which a crash leaves something for recovery to finish. A test hands in a hook that kills the process (or throws the instance away)
 * at one of them; in production there is no hook.
 */
export const failpoints = [
  "journal.append.before",
  "journal.append.written",
  "journal.append.durable",
  "journal.snapshot.before",
  "journal.snapshot.written",
  "journal.snapshot.synced",
  "journal.snapshot.renamed",
  "journal.snapshot.durable",
  "journal.repair.set-aside",
  "allocate.reserved",
  "allocate.journaled",
  "bound.journaled",
  "release.begun",
  "release.finished",
  "create.journaled",
  "create.answered",
  "create.recorded",
  "attach.journaled",
  "attach.answered",
  "attach.recorded",
  "assign.journaled",
  "assign.answered",
  "assign.recorded",
  "unassign.journaled",
  "unassign.answered",
  "unassign.recorded",
  "remove.journaled",
  "remove.detached",
  "remove.deleted",
  "remove.recorded",
  "recover.replayed",
  "recover.observed",
] as const;

export type Failpoint = (typeof failpoints)[number];
/** Called at the step; what it returns is awaited, so that a test can also stop the world there. */
export type FailpointHook = (name: Failpoint) => void | Promise<void>;
