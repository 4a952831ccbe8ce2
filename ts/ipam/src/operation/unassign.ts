import type { OperationOf } from "../journal/record.ts";
import type { OperationContext } from "./context.ts";
import { attempt, isFinal, keys, overtaken, passed, pause, refusalSteps, refuse } from "./context.ts";

/**
 * Takes addresses away. When the cloud has accepted it the addresses leave the ledger, but the intent stays open until an observation made later
 * shows the ENI without them: describes lag, and a late one must not bring an address back that another node may hold by now.
 */
export async function unassignAddresses(context: OperationContext, operation: OperationOf<"unassign">): Promise<void> {
  const { eniId, family, addresses } = operation;
  const known = context.inventory.ledger.enis.get(eniId);
  // Done by an older process and only to be seen yet. Never again: an assign may have brought the same address back since.
  if (known && context.inventory.isAnswered(known, operation)) return context.inventory.answered(operation, context.clock.monotonicMs());
  for (let tries = 0; ; tries += 1) {
    // The one check that cannot come too late (I3): an operation that an older process began may have been overtaken.
    if (addresses.some((address) => context.inventory.isInUse(address))) return overtaken(context, operation);
    const answer = await attempt(context, family === "ipv4" ? "UnassignPrivateIpAddresses" : "UnassignIpv6Addresses", () =>
      family === "ipv4" ? context.cloud.unassignIpv4(eniId, addresses) : context.cloud.unassignIpv6(eniId, addresses),
    );
    // `gone`: the addresses, or the whole ENI, were gone already (InvalidIp.IpUnassigned).
    if (answer.ok || answer.error.class === "gone") {
      await context.failpoint("unassign.answered");
      passed(context, operation, family === "ipv4" ? "UnassignPrivateIpAddresses" : "UnassignIpv6Addresses", keys.release);
      if (!context.inventory.ledger.enis.has(eniId)) return context.finish(operation, []);
      context.inventory.touch(eniId);
      await context.record([{ t: "unassigned", id: eniId, family, addresses }]);
      context.inventory.answered(operation, context.clock.monotonicMs());
      context.emit({ type: "unassigned", eniId, addresses });
      await context.failpoint("unassign.recorded");
      return;
    }
    if (isFinal(answer.error)) {
      refuse(context, operation, answer.error, keys.release, refusalSteps);
      return context.finish(operation, []);
    }
    await pause(context, operation, answer.error, tries);
  }
}
