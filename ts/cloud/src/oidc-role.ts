import type { Clock, Random, RoleCredentials } from "@terway/model";
import { z } from "zod";
import { readText } from "./read-text.ts";

/** A RAM role that a service account may take (RRSA): the cluster's token says who asks. */
export interface OidcRole {
  readonly roleArn: string;
  readonly providerArn: string;
  /** Renewed by the kubelet; read at each use. */
  readonly tokenFile: string;
  readonly sessionName: string;
}

/** As the pod-identity webhook and the official SDKs name it; undefined unless all three are there. */
export function oidcRoleOf(env: Readonly<Record<string, string | undefined>>): OidcRole | undefined {
  const {
    ALIBABA_CLOUD_ROLE_ARN: roleArn,
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: providerArn,
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: tokenFile,
    ALIBABA_CLOUD_ROLE_SESSION_NAME: sessionName,
  } = env;
  if (!roleArn || !providerArn || !tokenFile) return undefined;
  return { roleArn, providerArn, tokenFile, sessionName: sessionName || "terway" };
}

const durationSeconds = 3600;
const answerMs = 5_000;
const answerSchema = z.object({
  Credentials: z.object({ AccessKeyId: z.string(), AccessKeySecret: z.string(), SecurityToken: z.string(), Expiration: z.string() }),
});
const refusalSchema = z.object({ Code: z.string(), Message: z.string() });

export interface AssumeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly regionId: string;
  /** Default: that of the region inside a VPC, where a node needs no way to the Internet. */
  readonly endpoint?: URL;
}

/** Exchanges the token for credentials of the role: AssumeRoleWithOIDC, the one call that nobody signs. Rejects with what is wrong and where. */
export async function assumeOidcRole(role: OidcRole, { clock, random, regionId, endpoint }: AssumeOptions): Promise<RoleCredentials> {
  const token = await readText(role.tokenFile);
  if (!token) throw new Error(`the service account's token ${role.tokenFile} (ALIBABA_CLOUD_OIDC_TOKEN_FILE) cannot be read`);
  const url = endpoint ?? new URL(`https://sts-vpc.${regionId}.aliyuncs.com/`);
  const form = {
    Action: "AssumeRoleWithOIDC",
    Version: "2015-04-01",
    Format: "JSON",
    Timestamp: new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, "Z"),
    SignatureNonce: random.uuid(),
    RoleArn: role.roleArn,
    OIDCProviderArn: role.providerArn,
    OIDCToken: token,
    RoleSessionName: role.sessionName,
    DurationSeconds: String(durationSeconds),
  };
  const answer = await fetch(url, { method: "POST", body: new URLSearchParams(form), signal: AbortSignal.timeout(answerMs) }).catch(
    (error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new Error(`${url.host} does not answer AssumeRoleWithOIDC: ${cause instanceof Error ? cause.message : String(cause)}`);
    },
  );
  const body: unknown = await answer.json().catch(() => undefined);
  const parsed = answerSchema.safeParse(body);
  if (!answer.ok || !parsed.success) {
    const refusal = refusalSchema.safeParse(body);
    const why = refusal.success ? `${refusal.data.Code}: ${refusal.data.Message}` : `status ${answer.status}`;
    throw new Error(`role ${role.roleArn} is not given to this service account: ${why}; check its trust policy and the OIDC provider`);
  }
  const { AccessKeyId, AccessKeySecret, SecurityToken, Expiration } = parsed.data.Credentials;
  const expiresAtMs = Date.parse(Expiration);
  if (Number.isNaN(expiresAtMs))
    throw new Error(`AssumeRoleWithOIDC answered the expiration ${JSON.stringify(Expiration)}, which is no time`);
  return { accessKeyId: AccessKeyId, accessKeySecret: AccessKeySecret, securityToken: SecurityToken, expiresAtMs };
}
