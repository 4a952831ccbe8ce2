import { apiError } from "../api-error.ts";

/** Throws when both parameters were given. */
export function exclusive<P extends object>(parameters: P, name: keyof P & string, other: keyof P & string): void {
  if (parameters[name] !== undefined && parameters[other] !== undefined) throw apiError("InvalidParameter.Conflict", { name, other });
}

/** The one of two parameters that was given; throws when none or both were. */
export function exactlyOne<P extends object>(parameters: P, ...names: (keyof P & string)[]): keyof P & string {
  const given = names.filter((name) => parameters[name] !== undefined);
  const [first, second] = given;
  if (first === undefined) throw apiError("MissingParameter", { name: names.join(" or ") });
  if (second !== undefined) throw apiError("InvalidParameter.Conflict", { name: first, other: second });
  return first;
}
