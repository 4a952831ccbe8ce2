import type { CloudError, Eni } from "@terway/model";
import { cloudErrorEntry } from "@terway/model";
import type { OperationOf } from "../journal/record.ts";
import type { OperationContext } from "./context.ts";
import { attempt, exhaustionSteps, isFinal, isTokenSpent, keys, knownEni, passed, pause, refusalSteps, refuse } from "./context.ts";

/**
 * Creates an ENI and goes on with its attachment. Token and tags were journaled before the first call. After an answer that was lost, or a crash,
 * the ENI is looked for by its token; when it does not show (it may not yet), the same call is sent with the same token, which has one effect only.
 */
export async function createEni(context: OperationContext, operation: OperationOf<"create">, resumed: boolean): Promise<void> {
  let lookFirst = resumed;
  for (let tries = 0; ; tries += 1) {
    const answer = await (lookFirst ? find(context, operation) : create(context, operation));
    if (answer.ok && answer.value) {
      await context.failpoint("create.answered");
      await begun(context, operation, answer.value);
      return;
    }
    if (answer.ok) {
      lookFirst = false;
      continue;
    }
    const { error } = answer;
    if (!lookFirst && (isFinal(error) || isTokenSpent(error))) {
      const { key, steps } = refusalOf(error, operation);
      refuse(context, operation, error, key, steps);
      await context.finish(operation, []);
      return;
    }
    lookFirst = lookFirst || error.class === "unknown" || error.class === "conflict";
    await pause(context, operation, error, tries);
  }
}

function create(context: OperationContext, operation: OperationOf<"create">) {
  const { id: _, kind: __, ...spec } = operation;
  return attempt(context, "CreateNetworkInterface", () => context.cloud.createEni({ ...spec, type: "Secondary" }));
}

async function find(context: OperationContext, { clientToken }: OperationOf<"create">) {
  const found = await attempt(context, "DescribeNetworkInterfaces", () => context.cloud.describeEnis({ clientToken }));
  return found.ok ? { ok: true as const, value: found.value[0] } : found;
}

async function begun(context: OperationContext, operation: OperationOf<"create">, eni: Eni): Promise<void> {
  passed(context, operation, "CreateNetworkInterface", keys.create, keys.vSwitch(operation.vSwitchId));
  const attach = { id: context.random.uuid(), kind: "attach" as const, eniId: eni.id };
  await context.finish(operation, [{ t: "eni", eni: knownEni(eni) }], attach);
  context.emit({ type: "eni-created", eniId: eni.id });
  await context.failpoint("create.recorded");
}

function refusalOf(error: CloudError, operation: OperationOf<"create">) {
  if (error.class === "exhausted") return { key: keys.vSwitch(operation.vSwitchId), steps: exhaustionSteps };
  // An unknown vSwitch is that vSwitch's matter; the other ones go on.
  if (error.class !== "denied" && cloudErrorEntry(error.code)?.about === "vSwitch")
    return { key: keys.vSwitch(operation.vSwitchId), steps: exhaustionSteps };
  return { key: keys.create, steps: error.class === "quota" ? exhaustionSteps : refusalSteps };
}
