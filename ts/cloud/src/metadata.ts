import {
  type Clock,
  CloudError,
  canonicalAddress,
  cloudErrorEntry,
  gatewayOf,
  type Metadata,
  type MetadataEni,
  type Random,
  type RoleCredentials,
} from "@terway/model";
import { z } from "zod";
import type { CallRecord } from "./call.ts";
import { type HttpAnswer, httpRequest } from "./metadata-http.ts";

export interface MetadataOptions {
  /** Default: `http://100.100.100.200`. Its query is kept: a simulator that serves several nodes at one address tells them apart by it. */
  readonly endpoint?: URL;
  readonly clock: Clock;
  readonly random: Random;
  /** One record for each request; `action` is its path below `/latest/`, for example `meta-data/instance-id`. It may hold a MAC. */
  readonly onCall?: (record: CallRecord) => void;
  readonly timeoutMs?: number;
}

const tokenLifeSeconds = 21_600;
const tries = 4;
const firstPauseMs = 500;
const pauseGrowth = 1.2;

/** Client of the instance metadata service, with tokens where the service has them. Every method rejects with {@link CloudError} only. */
export function openMetadata(options: MetadataOptions): Metadata {
  const { clock, random } = options;
  const base = new URL("/latest/", options.endpoint ?? "http://100.100.100.200");
  let token: { readonly text: string; readonly useUntilMs: number } | undefined;
  let tokenRequest: Promise<string> | undefined;

  async function send(
    method: "GET" | "PUT",
    path: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<HttpAnswer> {
    const startedAtMs = clock.monotonicMs();
    let errorCode: string | undefined;
    try {
      const url = new URL(path, base);
      url.search = options.endpoint?.search ?? "";
      const answer = await httpRequest(url, { method, headers, clock, timeoutMs: options.timeoutMs ?? 5000, signal });
      // 404 is an answer: "there is none".
      if (answer.status !== 200 && answer.status !== 404) errorCode = String(answer.status);
      return answer;
    } catch (error) {
      errorCode = systemCode(error);
      throw error;
    } finally {
      options.onCall?.({
        action: path,
        durationMs: clock.monotonicMs() - startedAtMs,
        ...(errorCode === undefined ? {} : { errorCode }),
      });
    }
  }

  /** Empty when the service has no token mode; asked once for all who wait. */
  async function currentToken(signal?: AbortSignal): Promise<string> {
    if (token !== undefined && clock.monotonicMs() < token.useUntilMs) return token.text;
    tokenRequest ??= send("PUT", "api/token", { "X-aliyun-ecs-metadata-token-ttl-seconds": String(tokenLifeSeconds) }, signal)
      .then((answer) => {
        if (answer.status >= 500 || answer.status === 429) throw new StatusError(answer.status);
        const text = answer.status === 200 ? answer.body.trim() : "";
        token = { text, useUntilMs: clock.monotonicMs() + (tokenLifeSeconds * 1000) / 2 };
        return text;
      })
      .finally(() => {
        tokenRequest = undefined;
      });
    return tokenRequest;
  }

  async function getOnce(path: string, signal?: AbortSignal): Promise<string | undefined> {
    for (let renewed = false; ; renewed = true) {
      const text = await currentToken(signal);
      const headers: Record<string, string> = text === "" ? {} : { "X-aliyun-ecs-metadata-token": text };
      const answer = await send("GET", `meta-data/${path}`, headers, signal);
      if (answer.status === 200) return answer.body.trim();
      if (answer.status === 404) return undefined;
      if (answer.status === 401 && !renewed) {
        token = undefined;
        continue;
      }
      throw new StatusError(answer.status);
    }
  }

  /** Text of a path; undefined when there is none (404). 429, 5xx and lost answers are tried again. */
  async function get(path: string, signal?: AbortSignal): Promise<string | undefined> {
    for (let tried = 1; ; tried++) {
      try {
        return await getOnce(path, signal);
      } catch (error) {
        const final = tried >= tries || signal?.aborted || (error instanceof StatusError && !error.temporary);
        if (final) throw metadataError(path, error);
        try {
          await clock.sleep(firstPauseMs * pauseGrowth ** (tried - 1) * (1 + 0.1 * random.next()), signal);
        } catch {
          throw metadataError(path, error);
        }
      }
    }
  }

  async function need(path: string, signal?: AbortSignal): Promise<string> {
    const text = await get(path, signal);
    if (text) return text;
    throw metadataError(path, new StatusError(404));
  }

  async function eni(mac: string, signal?: AbortSignal): Promise<MetadataEni | undefined> {
    const at = (name: string) => get(`network/interfaces/macs/${mac}/${name}`, signal);
    const [eniId, vSwitchId, primary, vSwitchCidr, ipv4Text, gatewayText, ipv6Text, gateway6Text, vSwitchIpv6Cidr] = await Promise.all([
      at("network-interface-id"),
      at("vswitch-id"),
      at("primary-ip-address"),
      at("vswitch-cidr-block"),
      at("private-ipv4s"),
      at("gateway"),
      at("ipv6s"),
      at("ipv6-gateway"),
      at("vswitch-ipv6-cidr-block"),
    ]);
    const primaryIpv4 = canonicalAddress(primary ?? "");
    const gatewayIpv4 = canonicalAddress(gatewayText ?? "") ?? gatewayOf(vSwitchCidr ?? "");
    // The directory of a new ENI appears before its content; what is not complete is not there yet.
    if (!eniId || !vSwitchId || !vSwitchCidr || primaryIpv4 === undefined || gatewayIpv4 === undefined) return undefined;
    const ipv4 = addresses(ipv4Text);
    const gatewayIpv6 = canonicalAddress(gateway6Text ?? "") ?? gatewayOf(vSwitchIpv6Cidr ?? "");
    return {
      eniId,
      mac: mac.toLowerCase(),
      vSwitchId,
      primaryIpv4,
      ipv4: ipv4.includes(primaryIpv4) ? ipv4 : [primaryIpv4, ...ipv4],
      ipv6: addresses(ipv6Text),
      gatewayIpv4,
      ...(gatewayIpv6 === undefined ? {} : { gatewayIpv6 }),
      vSwitchCidr,
      ...(vSwitchIpv6Cidr ? { vSwitchIpv6Cidr } : {}),
    };
  }

  return {
    async identity(signal) {
      const [instanceId, instanceType, regionId, zoneId, vpcId, vSwitchId, mac] = await Promise.all(
        ["instance-id", "instance/instance-type", "region-id", "zone-id", "vpc-id", "vswitch-id", "mac"].map((path) => need(path, signal)),
      );
      return {
        instanceId: instanceId ?? "",
        instanceType: instanceType ?? "",
        regionId: regionId ?? "",
        zoneId: zoneId ?? "",
        vpcId: vpcId ?? "",
        vSwitchId: vSwitchId ?? "",
        primaryMac: (mac ?? "").toLowerCase(),
      };
    },

    async enis(signal) {
      const macs = names(await need("network/interfaces/macs/", signal));
      return (await Promise.all(macs.map((mac) => eni(mac, signal)))).filter((one) => one !== undefined);
    },

    async roleCredentials(signal) {
      const [role] = names((await get("ram/security-credentials/", signal)) ?? "");
      if (role === undefined) return undefined;
      const path = `ram/security-credentials/${role}`;
      const text = await get(path, signal);
      return text === undefined ? undefined : readRoleCredentials(path, text);
    },
  };
}

/** An HTTP status that is no answer. */
class StatusError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP status ${status}`);
    this.status = status;
  }

  get temporary(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

function systemCode(error: unknown): string {
  const code = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" ? code : "Aborted";
}

function metadataError(path: string, cause: unknown): CloudError {
  const action = "metadata";
  if (cause instanceof StatusError) {
    const errorClass =
      cause.status === 404
        ? "gone"
        : cause.status === 401 || cause.status === 403
          ? "denied"
          : cause.status === 429
            ? "throttled"
            : "transient";
    return new CloudError(
      `instance metadata: ${path} answers HTTP status ${cause.status}. ${cause.status === 404 ? "Is this a node of Alibaba Cloud?" : "It is tried again."}`,
      { class: errorClass, code: `HTTP${cause.status}`, action, httpStatus: cause.status, resource: path },
      { cause },
    );
  }
  const next = cloudErrorEntry("ConnectionRefused")?.next ?? "";
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CloudError(
    `instance metadata: ${path} cannot be read: ${text}. ${next}`,
    { class: "transient", code: systemCode(cause), action, resource: path },
    { cause },
  );
}

/** Names of a directory: one a line, directories with a slash at the end. */
function names(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim().replace(/\/$/, ""))
    .filter((line) => line !== "");
}

/** `["10.0.0.5","10.0.0.6"]` or `[2408::1,2408::2]`: the service quotes IPv4 and does not quote IPv6. */
function addresses(text: string | undefined): string[] {
  return (text ?? "").split(/[[\]",\s]+/).flatMap((part) => canonicalAddress(part) ?? []);
}

const roleSchema = z.object({
  Code: z.literal("Success"),
  AccessKeyId: z.string().min(1),
  AccessKeySecret: z.string().min(1),
  SecurityToken: z.string().min(1),
  Expiration: z.string().transform((text, context) => {
    const atMs = Date.parse(text);
    if (Number.isNaN(atMs)) context.addIssue({ code: "custom", message: "is no time" });
    return atMs;
  }),
});

function readRoleCredentials(path: string, text: string): RoleCredentials {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Falls through to the schema's refusal; the text is a secret and must not be quoted.
  }
  const parsed = roleSchema.safeParse(value);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join(".") || "the answer").join(", ");
    throw new CloudError(`instance metadata: ${path} gives no usable credentials (${fields}). Check the RAM role of the instance.`, {
      class: "denied",
      code: "CredentialsUnavailable",
      action: "metadata",
      resource: path,
    });
  }
  const { AccessKeyId: accessKeyId, AccessKeySecret: accessKeySecret, SecurityToken: securityToken, Expiration: expiresAtMs } = parsed.data;
  return { accessKeyId, accessKeySecret, securityToken, expiresAtMs };
}
