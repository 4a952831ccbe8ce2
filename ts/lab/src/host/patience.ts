const factor = Number(process.env.TERWAY_LAB_PATIENCE ?? "1");
if (!(factor >= 1)) throw new RangeError(`TERWAY_LAB_PATIENCE is ${process.env.TERWAY_LAB_PATIENCE}; it must be a number, 1 or more`);

/**
 * A time limit of the lab on this machine: `timeoutMs` times `TERWAY_LAB_PATIENCE`, which is 1 unless set. On an emulated processor
 * everything takes 20 to 100 times as long, and the limits are there to notice what hangs, not what is slow.
 */
export function patient(timeoutMs: number): number {
  return timeoutMs * factor;
}
