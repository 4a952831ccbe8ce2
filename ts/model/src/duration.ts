// The two signs for micro as escapes: a single character beyond Latin-1 makes V8 keep a program's whole text in two bytes a character.
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00b5s": 1e-3,
  "\u03bcs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const whole = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;

/** Milliseconds of a Go duration text without sign (`10m`, `1h30m`, `1.5s`, `0`); undefined when it is none. Source: Go time.ParseDuration. */
export function parseGoDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!whole.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g))
    total += Number(number) * (unitMs[unit ?? ""] ?? Number.NaN);
  return total;
}
