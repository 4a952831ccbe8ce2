import { type AccessDeniedDetail, ApiError, apiErrors } from "./api-error.ts";
import type { AccessKey, PolicyDocument, Principal } from "./records.ts";

export type Verdict = "Allow" | "ImplicitDeny" | "ExplicitDeny";

/** RAM's rule: an explicit deny wins, else an allow is needed. Action and resource may contain `*` and `?`; actions ignore case. */
export function evaluate(policies: readonly PolicyDocument[], action: string, resource: string): Verdict {
  let verdict: Verdict = "ImplicitDeny";
  for (const { Effect, Action, Resource } of policies.flatMap((policy) => policy.Statement)) {
    const applies =
      listed(Action).some((pattern) => matches(pattern, action, "i")) && listed(Resource).some((pattern) => matches(pattern, resource, ""));
    if (!applies) continue;
    if (Effect === "Deny") return "ExplicitDeny";
    verdict = "Allow";
  }
  return verdict;
}

/** Throws Forbidden.RAM unless every resource is allowed. `action` is written as in policies, for example `ecs:CreateNetworkInterface`. */
export function authorize(caller: AccessKey, accountId: string, action: string, resources: readonly string[]): void {
  if (caller.policies === undefined) return;
  for (const resource of resources) {
    const verdict = evaluate(caller.policies, action, resource);
    if (verdict === "Allow") continue;
    throw accessDenied(caller.principal, accountId, action, verdict);
  }
}

export function accessDenied(principal: Principal, accountId: string, action: string, verdict: "ImplicitDeny" | "ExplicitDeny"): ApiError {
  const detail: AccessDeniedDetail = {
    AuthAction: action,
    AuthPrincipalType: principal.type,
    AuthPrincipalDisplayName: principal.name,
    AuthPrincipalOwnerId: accountId,
    NoPermissionType: verdict,
    PolicyType: "AccountLevelIdentityBasedPolicy",
    EncodedDiagnosticMessage: Buffer.from(JSON.stringify({ action, verdict })).toString("base64"),
  };
  const [status, message] = apiErrors["Forbidden.RAM"];
  return new ApiError("Forbidden.RAM", status, message, detail);
}

function listed(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value;
}

function matches(pattern: string, text: string, flags: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, flags).test(text);
}
