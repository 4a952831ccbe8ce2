/** `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** The list with this condition in it; its transition time moves only when its status does. The same list when nothing changes. */
export function setCondition(
  list: readonly Condition[],
  wanted: Omit<Condition, "lastTransitionTime">,
  nowMs: number,
): readonly Condition[] {
  const before = list.find(({ type }) => type === wanted.type);
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
  const lastTransitionTime = before !== undefined && before.status === wanted.status ? before.lastTransitionTime : now;
  const same =
    before !== undefined &&
    before.status === wanted.status &&
    before.reason === wanted.reason &&
    before.message === wanted.message &&
    before.observedGeneration === wanted.observedGeneration;
  if (same) return list;
  return [...list.filter(({ type }) => type !== wanted.type), { ...wanted, lastTransitionTime }];
}

/** The finalizers with this one, or without it; the same list when nothing changes. */
export function withFinalizer(finalizers: readonly string[] | undefined, name: string, present: boolean): readonly string[] {
  const list = finalizers ?? [];
  if (list.includes(name) === present) return list;
  return present ? [...list, name] : list.filter((other) => other !== name);
}
