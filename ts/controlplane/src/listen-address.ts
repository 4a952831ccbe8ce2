export interface Listen {
  /** Empty: every address. */
  readonly host: string;
  readonly port: number;
}

/** `:8080`, `0.0.0.0:8080`, `[::]:8080`; undefined for anything else. */
export function parseListen(text: string): Listen | undefined {
  const [, bracketed, plain = "", digits = ""] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { host: bracketed ?? plain, port } : undefined;
}
