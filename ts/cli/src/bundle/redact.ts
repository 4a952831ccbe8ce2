/** Keys whose values are nobody's business, in any spelling: access_key, accessSecret, SecurityToken, password, private_key. */
const secretKey = /access_?key|access_?secret|secret|token|password|private_?key|authorization/i;
/** Of those, what is no secret itself. */
const harmlessKey = /^(credential_path|existingSecret|secretName)$/;

/** AccessKey ids and short-lived tokens as they stand in free text, such as a log line or a configuration that does not parse. */
const secretText = /\b(?:LTAI|STS\.)[A-Za-z0-9._-]{6,}|\bCAIS[A-Za-z0-9+/=]{20,}/g;
const pairInText = /("?[\w-]*(?:access_?key|access_?secret|secret|token|password|private_?key)[\w-]*"?\s*[:=]\s*)("[^"]*"|[^\s,}]+)/gi;
const hidden = "******";

/** A copy without secrets: by key, at any depth, also inside texts that are JSON themselves; and by form, wherever they stand. */
export function redact(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null) return value;
  const copied = Object.entries(value).map(([key, inner]) => [key, isSecret(key) && inner !== "" ? hidden : redact(inner)]);
  return Object.fromEntries(copied);
}

export function redactText(text: string): string {
  const json = parsed(text);
  if (json !== undefined) return JSON.stringify(redact(json), undefined, 2);
  return text.replaceAll(pairInText, (_, key: string) => `${key}${hidden}`).replaceAll(secretText, hidden);
}

const isSecret = (key: string) => secretKey.test(key) && !harmlessKey.test(key);

function parsed(text: string): object | undefined {
  if (!/^\s*[[{"]/.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "string") return parsed(value);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
