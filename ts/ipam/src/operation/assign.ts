import { type CloudError, cidrContains, type Eni } from "@terway/model";
import type { OperationOf } from "../journal/record.ts";
import type { OperationContext } from "./context.ts";
import { attempt, exhaustionSteps, isFinal, isTokenSpent, keys, passed, pause, readEni, refusalSteps, refuse } from "./context.ts";

/** How often a conflict is met before the plan is made anew. */
const maxConflicts = 5;

/**
 * Assigns addresses of one family. When the outcome is unknown the ENI is read first; addresses that nobody has recorded are ours then. When it
 * shows none (it may lag), the same call with the same token gives the same addresses, or assigns them now.
 */
export async function assignAddresses(context: OperationContext, operation: OperationOf<"assign">, resumed: boolean): Promise<void> {
  let lookFirst = resumed;
  let conflicts = 0;
  for (let tries = 0; ; tries += 1) {
    if (lookFirst) {
      const shown = await readEni(context, operation, operation.eniId);
      const found = shown ? unrecorded(context, operation, shown) : [];
      if (found.length > 0) return assigned(context, operation, found);
      lookFirst = false;
    }
    const answer = await call(context, operation);
    if (answer.ok) {
      await context.failpoint("assign.answered");
      return assigned(context, operation, answer.value);
    }
    const { error } = answer;
    if (error.class === "conflict") conflicts += 1;
    if (isFinal(error) || conflicts > maxConflicts || isTokenSpent(error)) return refused(context, operation, error);
    lookFirst = error.class === "unknown";
    await pause(context, operation, error, tries);
  }
}

function call(context: OperationContext, { eniId, family, count, clientToken }: OperationOf<"assign">) {
  return attempt(context, actionOf(family), () =>
    family === "ipv4" ? context.cloud.assignIpv4(eniId, count, clientToken) : context.cloud.assignIpv6(eniId, count, clientToken),
  );
}

function actionOf(family: "ipv4" | "ipv6"): string {
  return family === "ipv4" ? "AssignPrivateIpAddresses" : "AssignIpv6Addresses";
}

/** Addresses that the cloud shows and the ledger does not, without those that are on their way out. */
function unrecorded(context: OperationContext, { family, eniId }: OperationOf<"assign">, shown: Eni): string[] {
  const known = context.inventory.ledger.enis.get(eniId);
  const recorded = new Set(known ? known[family] : []);
  for (const other of context.inventory.operationsOn(eniId))
    if (other.kind === "unassign") for (const address of other.addresses) recorded.add(address);
  return shown[family].filter((address) => !recorded.has(address));
}

async function assigned(context: OperationContext, operation: OperationOf<"assign">, addresses: readonly string[]): Promise<void> {
  const { eniId, family } = operation;
  const eni = context.inventory.ledger.enis.get(eniId);
  passed(context, operation, actionOf(family), keys.assign, keys.grow(eniId), ...(eni ? [keys.vSwitch(eni.vSwitchId)] : []));
  if (!eni) return context.finish(operation, []);
  // An answer may name what is not the ENI's; what it hides the next look at the ENI shows.
  const vSwitch = context.inventory.ledger.vSwitches.get(eni.vSwitchId);
  const cidr = family === "ipv4" ? vSwitch?.cidr : vSwitch?.ipv6Cidr;
  const isTrue = (address: string) => cidr === undefined || cidrContains(cidr, address);
  const fresh = addresses.filter((address) => !eni[family].includes(address) && isTrue(address));
  // The cloud may give an address again that an older unassign has not been seen to take away: the answer of assign is the newer fact.
  const reopened = context.inventory.operationsOn(eniId).filter((o) => o.kind === "unassign" && o.addresses.some((a) => fresh.includes(a)));
  const grown = { t: "assigned" as const, id: eniId, family, addresses: fresh };
  await context.finish(operation, [grown, ...reopened.map((o) => ({ t: "end" as const, id: o.id }))]);
  for (const other of reopened) context.inventory.running.delete(other.id);
  context.emit({ type: "assigned", eniId, addresses: fresh });
  await context.failpoint("assign.recorded");
}

async function refused(context: OperationContext, operation: OperationOf<"assign">, error: CloudError): Promise<void> {
  const vSwitchId = context.inventory.ledger.enis.get(operation.eniId)?.vSwitchId;
  if (error.class === "exhausted" && vSwitchId !== undefined) refuse(context, operation, error, keys.vSwitch(vSwitchId), exhaustionSteps);
  else if (error.class === "denied") refuse(context, operation, error, keys.assign, refusalSteps);
  else refuse(context, operation, error, keys.grow(operation.eniId), error.class === "quota" ? exhaustionSteps : refusalSteps);
  await context.finish(operation, []);
}
