import { readFile } from "node:fs/promises";
import { Ajv } from "ajv";

/** Throws when the result is not as `bench/schema/<name>.schema.json` says. */
export async function validate(name: string, result: object): Promise<void> {
  const schema: object = JSON.parse(await readFile(new URL(`./schema/${name}.schema.json`, import.meta.url), "utf8"));
  const check = new Ajv({ allErrors: true }).compile(schema);
  if (!check(result)) throw new Error(`the result does not match its schema: ${JSON.stringify(check.errors, undefined, 2)}`);
}
