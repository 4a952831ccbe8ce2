import { apiError } from "../api-error.ts";
import { formPairs, type HttpRequest } from "../http-request.ts";
import type { WireParameters } from "../parameters.ts";

/** What a request says of itself, before anything of it is checked. */
export interface Envelope {
  /** ACS3: signature in the Authorization header. v1: signature among the parameters. */
  readonly style: "ACS3" | "v1";
  readonly action: string;
  readonly version: string;
  readonly parameters: WireParameters;
  readonly accessKeyId?: string;
  readonly signature?: string;
  readonly securityToken?: string;
  readonly nonce?: string;
  readonly date?: string;
  /** ACS3 only, in the order given. */
  readonly signedHeaders?: readonly string[];
}

export function readEnvelope(request: HttpRequest): Envelope {
  const parameters: WireParameters = Object.fromEntries([...request.query, ...formPairs(request)]);
  return request.headers.authorization === undefined ? readV1(parameters) : readAcs3(request, parameters, request.headers.authorization);
}

function readAcs3({ headers }: HttpRequest, parameters: WireParameters, authorization: string): Envelope {
  const match = /^ACS3-HMAC-SHA256\s+Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)$/.exec(authorization);
  if (match === null) throw apiError("IncompleteSignature");
  const [, accessKeyId = "", signedHeaders = "", signature = ""] = match;
  return {
    style: "ACS3",
    action: headers["x-acs-action"] ?? parameters.Action ?? "",
    version: headers["x-acs-version"] ?? parameters.Version ?? "",
    parameters,
    accessKeyId,
    signature,
    signedHeaders: signedHeaders.split(";"),
    ...optional({ securityToken: headers["x-acs-security-token"], nonce: headers["x-acs-signature-nonce"], date: headers["x-acs-date"] }),
  };
}

function readV1(parameters: WireParameters): Envelope {
  return {
    style: "v1",
    action: parameters.Action ?? "",
    version: parameters.Version ?? "",
    parameters,
    ...optional({
      accessKeyId: parameters.AccessKeyId,
      signature: parameters.Signature,
      securityToken: parameters.SecurityToken,
      nonce: parameters.SignatureNonce,
      date: parameters.Timestamp,
    }),
  };
}

/** Without the fields that are undefined or empty. */
function optional<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } {
  // Object.fromEntries forgets the keys' type; they are those of T.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== "")) as {
    [K in keyof T]?: string;
  };
}
