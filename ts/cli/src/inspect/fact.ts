/** One line of an inspection. `note` is what it means for whoever looks. */
export interface Fact {
  readonly section: string;
  readonly name: string;
  readonly value: string;
  readonly note?: string;
}

/** Facts of one section. An undefined value is shown as not set. */
export function section(title: string): (name: string, value: string | number | boolean | undefined, note?: string) => Fact {
  return (name, value, note) => ({
    section: title,
    name,
    value: value === undefined ? "not set" : String(value),
    ...(note === undefined ? {} : { note }),
  });
}
