export type Labels = Readonly<Record<string, string>>;

/** `LabelSelector` of `meta/v1`. */
export interface LabelSelector {
  readonly matchLabels?: Labels | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

export interface LabelRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values?: readonly string[] | undefined;
}

/** A selector that can be asked, compared and indexed. */
export interface LabelMatcher {
  /** Canonical text: equal for selectors that say the same in another order. */
  readonly key: string;
  /** True when it selects everything. */
  readonly everything: boolean;
  /** One of its requirements as `key=value`, if it has one of that form: what has not this label cannot match. */
  readonly indexedBy?: string;
  matches(labels: Labels): boolean;
}

/** Compiles a selector. Requirements are joined by "and"; `NotIn` also selects what lacks the key (apimachinery, labels.Requirement). */
export function compileSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): LabelMatcher {
  const requirements: LabelRequirement[] = [
    ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: "In" as const, values: [value] })),
    ...matchExpressions,
  ];
  const tests = new Map<string, (labels: Labels) => boolean>();
  let indexedBy: string | undefined;
  for (const requirement of requirements) {
    const { key, operator } = requirement;
    const values = [...new Set(requirement.values)].toSorted();
    const [only] = values;
    if (operator === "In" && values.length === 1 && only !== undefined) indexedBy ??= labelPair(key, only);
    tests.set(formatRequirement(key, operator, values), testOf(key, operator, values));
  }
  const list = [...tests.values()];
  return {
    key: [...tests.keys()].toSorted().join(","),
    everything: list.length === 0,
    ...(indexedBy === undefined ? {} : { indexedBy }),
    matches: (labels) => list.every((test) => test(labels)),
  };
}

/** A label as the indexes name it. Neither part can hold "=". */
export function labelPair(key: string, value: string): string {
  return `${key}=${value}`;
}

function formatRequirement(key: string, operator: LabelRequirement["operator"], values: readonly string[]): string {
  switch (operator) {
    case "In":
      return `${key} in (${values.join(",")})`;
    case "NotIn":
      return `${key} notin (${values.join(",")})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
  }
}

function testOf(key: string, operator: LabelRequirement["operator"], values: readonly string[]): (labels: Labels) => boolean {
  const [only] = values;
  const has = (labels: Labels) => Object.hasOwn(labels, key);
  const among = values.length === 1 ? (value: string | undefined) => value === only : (value = "") => values.includes(value);
  switch (operator) {
    case "In":
      return (labels) => has(labels) && among(labels[key]);
    case "NotIn":
      return (labels) => !has(labels) || !among(labels[key]);
    case "Exists":
      return has;
    case "DoesNotExist":
      return (labels) => !has(labels);
  }
}
