import { type CloudError, type CloudErrorId, cloudErrorEntry, type Random } from "@terway/model";
import type { Operation } from "./operations.ts";

interface Rule {
  /** Tries in all, the first one included. */
  readonly tries: number;
  /** Pause before the second try; doubles each time. */
  readonly pauseMs: number;
}

const throttled: Rule = { tries: 4, pauseMs: 1000 };
const transient: Rule = { tries: 4, pauseMs: 300 };
const unknown: Rule = { tries: 3, pauseMs: 500 };
const busy: Rule = { tries: 4, pauseMs: 1000 };
const renewedCredentials: Rule = { tries: 2, pauseMs: 0 };

/**
 * A call is sent again only where that cannot do harm: it surely had no effect (throttled, transient, busy), or it carries a client token (unknown).
 * Detach, delete and unassign without an answer are left to the caller, who reads the object first.
 */
function ruleFor(operation: Operation, error: CloudError): Rule | undefined {
  const id: CloudErrorId | undefined = errorId(error);
  switch (error.class) {
    case "throttled":
      return throttled;
    case "transient":
      return id === "not_sent" ? undefined : transient;
    case "unknown":
      return operation.repeat === "token" ? unknown : undefined;
    case "conflict":
      return id === "busy" ? busy : undefined;
    case "denied":
      return id === "security_token_invalid" ? renewedCredentials : undefined;
    default:
      return undefined;
  }
}

/** Milliseconds until try number `tried + 1`; undefined when the error is final. Spread by ±30 %, so that nodes do not march in step. */
export function pauseBeforeRetry(operation: Operation, error: CloudError, tried: number, random: Random): number | undefined {
  const rule = ruleFor(operation, error);
  if (rule === undefined || tried >= rule.tries) return undefined;
  return rule.pauseMs * 2 ** (tried - 1) * (0.7 + 0.6 * random.next());
}

export function errorId(error: CloudError): CloudErrorId | undefined {
  // The table is a list of literals; its lookup answers the wider entry type.
  return cloudErrorEntry(error.code)?.id as CloudErrorId | undefined;
}
