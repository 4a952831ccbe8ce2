export type { Failpoint, FailpointHook } from "./failpoint.ts";
export { failpoints } from "./failpoint.ts";
export { JournalLockedError } from "./journal/lock.ts";
export { JournalError } from "./journal/storage.ts";
export { instanceTag } from "./observer.ts";
export type { PoolOptions } from "./open.ts";
export { openPool } from "./open.ts";
export * from "./plan/index.ts";
export { leaseIdOf } from "./pool.ts";
