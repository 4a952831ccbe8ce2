import type { Clock, Metadata, RoleCredentials, Secret } from "@terway/model";
import { readAddonToken } from "./addon-token.ts";
import { readText } from "./read-text.ts";

/** What signs a call. Never logged. */
export interface AccessCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
  /** Sent as header `x-acs-credentials-provider`, for the cloud's own statistics. */
  readonly provider: string;
  /** Wall clock; absent: they do not expire. */
  readonly expiresAtMs?: number;
}

/** Gives credentials for each call; follows rotation without a restart. */
export interface CredentialSource {
  /** Rejects with {@link CredentialsError}. */
  current(): Promise<AccessCredentials>;
  /** The cloud refused the last ones; the next call looks everywhere again. */
  refused(): void;
}

/** There is nothing to sign with; the message says where was looked and what to do. */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";
  readonly code = "CredentialsUnavailable";
}

export interface CredentialOptions {
  /** From eni_conf, asked at each use, so that a changed file counts at once. */
  readonly accessKey?: () => { readonly id: Secret; readonly secret: Secret } | undefined;
  /** `credential_path` of eni_conf: the add-on's token file. */
  readonly credentialPath?: () => string | undefined;
  /** Where the secret of the add-on is mounted; files `access-key-id` and `access-key-secret` in it win over everything. */
  readonly secretDirectory?: string;
  /** The RAM role of the service account (RRSA), where the environment names one; it comes before that of the instance. */
  readonly oidcRole?: () => Promise<RoleCredentials>;
  /** For the RAM role of the instance. */
  readonly metadata?: Pick<Metadata, "roleCredentials">;
  readonly clock: Clock;
}

/** Files are read again this often; a rotated secret is used at the latest after that. */
const fileLifeMs = 10_000;
/** After a failed renewal of credentials that are still valid, the next try waits this long. */
const renewalPauseMs = 30_000;
/** Fetched anew before they end; all others are read from files. */
const ofRole: readonly string[] = ["ecs_ram_role", "oidc_role_arn"];
const defaultSecretDirectory = "/var/alibaba-addon-secret";

/** Order: mounted secret files, `access_key` of eni_conf, `credential_path`, RAM role of the instance (Terway's order). */
export function openCredentials(options: CredentialOptions): CredentialSource {
  const { clock } = options;
  let cached: { readonly credentials: AccessCredentials; readonly renewAtMs: number } | undefined;
  let renewal: Promise<AccessCredentials> | undefined;

  async function find(): Promise<AccessCredentials> {
    const directory = options.secretDirectory ?? defaultSecretDirectory;
    const [id, secret] = await Promise.all([readText(`${directory}/access-key-id`), readText(`${directory}/access-key-secret`)]);
    if (id && secret) return { accessKeyId: id, accessKeySecret: secret, provider: "static_ak" };
    const key = options.accessKey?.();
    if (key !== undefined) return { accessKeyId: key.id.reveal(), accessKeySecret: key.secret.reveal(), provider: "static_ak" };
    const path = options.credentialPath?.();
    if (path !== undefined) return fromAddonToken(path);
    if (options.oidcRole !== undefined) return fromOidcRole(options.oidcRole);
    const role = await options.metadata?.roleCredentials();
    if (role !== undefined) return { ...role, provider: "ecs_ram_role" };
    throw new CredentialsError(`no credentials: ${directory} holds none, eni_conf has no \`access_key\`, and the instance has no RAM role`);
  }

  async function fromAddonToken(path: string): Promise<AccessCredentials> {
    const text = await readText(path);
    if (text === undefined) throw new CredentialsError(`no credentials: \`credential_path\` ${path} cannot be read`);
    const token = readAddonToken(text);
    if (!token.ok) throw new CredentialsError(`no credentials: \`credential_path\` ${path}: ${token.problem}`);
    if (token.credentials.expiresAtMs <= clock.wallMs())
      throw new CredentialsError(`no credentials: those of \`credential_path\` ${path} are expired`);
    return { ...token.credentials, provider: "static_sts" };
  }

  async function fromOidcRole(assume: () => Promise<RoleCredentials>): Promise<AccessCredentials> {
    const credentials = await assume().catch((error: unknown) => {
      throw new CredentialsError(`no credentials: ${error instanceof Error ? error.message : String(error)}`);
    });
    return { ...credentials, provider: "oidc_role_arn" };
  }

  function renew(): Promise<AccessCredentials> {
    renewal ??= find()
      .then((credentials) => {
        cached = { credentials, renewAtMs: clock.monotonicMs() + lifeOf(credentials) };
        return credentials;
      })
      .finally(() => {
        renewal = undefined;
      });
    return renewal;
  }

  function lifeOf(credentials: AccessCredentials): number {
    if (!ofRole.includes(credentials.provider) || credentials.expiresAtMs === undefined) return fileLifeMs;
    // A third of the life is left for failed renewals, but not more than 15 minutes; the metadata service gives new ones that early.
    const remaining = credentials.expiresAtMs - clock.wallMs();
    return Math.max(0, remaining - Math.min(15 * 60_000, remaining / 3));
  }

  return {
    async current() {
      if (cached !== undefined && clock.monotonicMs() < cached.renewAtMs) return cached.credentials;
      const old = cached?.credentials;
      try {
        return await renew();
      } catch (error) {
        // The place they come from may be away for a while: what is still valid is used (reference: fault F31).
        if (old?.expiresAtMs === undefined || old.expiresAtMs <= clock.wallMs()) throw error;
        cached = { credentials: old, renewAtMs: clock.monotonicMs() + renewalPauseMs };
        return old;
      }
    },
    refused() {
      cached = undefined;
    },
  };
}
