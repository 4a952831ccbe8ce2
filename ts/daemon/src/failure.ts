import type { CniFailure } from "@terway/model";

/** An expected failure of a CNI call; becomes the error object of the specification. Anything else that is thrown is a bug and answered with 999. */
export class CniError extends Error {
  override readonly name = "CniError";
  readonly code: number;
  readonly details: string | undefined;

  constructor(code: number, message: string, details?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** The daemon is going: answered with 503, and the executable sends the same request to the next one. */
export class StoppingError extends Error {
  override readonly name = "StoppingError";
  constructor() {
    super("the daemon is stopping");
  }
}

/** libcni's code for what no plugin expected. */
const internal = 999;

export function toCniFailure(error: unknown, cniVersion: string): CniFailure {
  if (error instanceof CniError) {
    return { cniVersion, code: error.code, msg: error.message, ...(error.details === undefined ? {} : { details: error.details }) };
  }
  if (error instanceof StoppingError) return { cniVersion, code: 11, msg: error.message };
  return { cniVersion, code: internal, msg: `internal error: ${error instanceof Error ? error.message : String(error)}` };
}
