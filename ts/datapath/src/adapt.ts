import {
  type Attachment,
  type Datapath,
  type DatapathError,
  type KernelCapabilities,
  kernelFeatures,
  type Outcome,
  type PolicyDatapath,
} from "@terway/model";
import type * as Addon from "../generated/index.d.ts";

/** The native object in the shape of the contract: its `{value, error}` pairs become a discriminated union, readonly lists are copied. */
export function adapt(native: Addon.NativeDatapath): Datapath {
  return {
    probe: async () => capabilities(await native.probe()),
    attach: async (attachment, deadlineMs) => outcome(await native.attach(mutable(attachment), deadlineMs)),
    check: async (attachment) => outcome(await native.check(mutable(attachment))),
    detach: (target) => native.detach({ ...target, addresses: [...target.addresses] }),
    adopt: async (attachments) => {
      const refused = await native.adopt(attachments.map(mutable));
      if (refused.length > 0) {
        throw new Error(`attachments of an earlier process are invalid: ${refused.map((error) => error.message).join("; ")}`);
      }
    },
    takeOver: async () => {
      const { value, error } = await native.takeOver();
      return error === undefined ? { ok: true, value } : { ok: false, error };
    },
    survey: async () => outcome(await native.survey()),
    collect: () => native.collect(),
    startRepair: (options, onRepair) => native.startRepair(options, onRepair),
    status: () => native.status(),
    symmetricRouting: async (config) => {
      const { value, error } = await native.symmetricRouting(config);
      return error === undefined ? { ok: true, value } : { ok: false, error };
    },
    policy: policy(native),
    hostAddresses: () => native.hostAddresses(),
    close: (deadlineMs) => native.close(deadlineMs),
  };
}

function policy(native: Addon.NativeDatapath): PolicyDatapath {
  return {
    open: async () => done(await native.judge()),
    // The addon reads the lists and keeps none; its types know no readonly.
    apply: async (step) => done(await native.applyPolicy(step as Addon.PolicyStep)),
    list: async () => outcome(await native.listPolicy()),
    sweep: async ({ sets, classes }) => outcome(await native.sweepPolicy({ sets: [...sets], classes: [...classes] })),
    setServices: async (cidrs) => done(await native.setServices([...cidrs])),
    counts: async () => outcome(await native.policyCounts()),
    samples: async () => outcome(await native.policySamples()),
  };
}

function done({ error }: { error?: DatapathError }): Outcome<undefined> {
  return error === undefined ? { ok: true, value: undefined } : { ok: false, error };
}

function mutable(attachment: Attachment): Addon.Attachment {
  const { extraRoutes, hostStackCidrs, ...rest } = attachment;
  return { ...rest, extraRoutes: [...extraRoutes], ...(hostStackCidrs === undefined ? {} : { hostStackCidrs: [...hostStackCidrs] }) };
}

function capabilities({ release, features }: Addon.KernelCapabilities): KernelCapabilities {
  const states = kernelFeatures.map((name) => {
    const state = features.find((feature) => feature.name === name);
    if (state === undefined) throw new Error(`the native datapath does not know the kernel feature ${name}`);
    const { available, reason } = state;
    return [name, reason === undefined ? { available } : { available, reason }];
  });
  // fromEntries forgets the names; each of them is there.
  return { release, ...Object.fromEntries(states) } as KernelCapabilities;
}

function outcome<T>(native: { value?: T; error?: DatapathError }): Outcome<T> {
  if (native.error !== undefined) return { ok: false, error: native.error };
  if (native.value !== undefined) return { ok: true, value: native.value };
  throw new Error("the native datapath answered neither a value nor an error");
}
