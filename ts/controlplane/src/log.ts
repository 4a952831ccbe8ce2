import pino from "pino";

export type Logger = pino.Logger;

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines on standard output, of this replica. */
export function openLog(level: LogLevel, identity: string): Logger {
  const destination = pino.destination({ dest: 1, sync: true });
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: { replica: identity }, timestamp: pino.stdTimeFunctions.isoTime, formatters }, destination);
}
