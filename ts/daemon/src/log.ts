import pino from "pino";

export type Logger = pino.Logger;

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines on standard output, written without waiting: at most the lines of the last moment are lost when the process is killed. */
export function openLog(level: LogLevel, nodeName: string): { log: Logger; flush: () => void } {
  const destination = pino.destination({ dest: 1, sync: false });
  const log = pino(
    { level, base: { node: nodeName }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    destination,
  );
  return {
    log,
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // Nothing was opened or written yet.
      }
    },
  };
}
