/**
 * JSON merge patch (RFC 7396): objects merge, everything else replaces, null deletes. Neither argument is changed. Terway's per-node override
 * (ConfigMap named by node label `terway-config`) is merged into `eni_conf` this way.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  // Maps, not objects, while keys from outside are written: "__proto__" must stay an ordinary key.
  const merged = new Map<string, unknown>(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
