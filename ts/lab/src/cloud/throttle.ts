import { apiError } from "./api-error.ts";
import type { Transaction } from "./transaction.ts";

/** Counts the call into the fixed window of its action and refuses it when the window is used up. */
export function throttle(tx: Transaction, action: string): void {
  const { enabled, limits, otherLimit, windowMs, backgroundCalls, code } = tx.state.settings.throttle;
  if (!enabled) return;
  const startMs = Math.floor(tx.nowMs / windowMs) * windowMs;
  const current = tx.state.table("throttleWindows").get(action);
  const count = (current?.startMs === startMs ? current.count : backgroundCalls) + 1;
  tx.put("throttleWindows", action, { action, startMs, count });
  if (count > (limits[action] ?? otherLimit)) throw apiError(code);
}
