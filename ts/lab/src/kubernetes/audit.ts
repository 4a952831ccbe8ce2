import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";

/** As the lab's clusters name who the daemons are, as processes and by the chart. */
const daemons = { user: "terwayd", serviceAccount: "system:serviceaccount:kube-system:terway" } as const;

/** The daemons' requests, each when its answer begins, and nobody else's. */
const policy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata", users: Object.values(daemons) }, { level: "None" }],
};

export function writeAuditPolicy(file: string): Promise<void> {
  return writeFile(file, JSON.stringify(policy));
}

const entrySchema = z.object({
  stage: z.string(),
  verb: z.string(),
  requestURI: z.string().default(""),
  responseStatus: z.object({ code: z.number().optional() }).optional(),
  sourceIPs: z.array(z.string()).default([]),
  objectRef: z.object({ resource: z.string(), subresource: z.string().optional() }).optional(),
});

/** A request that a daemon made. */
export interface AuditedRequest {
  readonly verb: string;
  /** Empty for paths that are no resource's. */
  readonly resource: string;
  /** What of the resource was asked for: path and field selector, as `/api/v1/pods?spec.nodeName=node-a`. */
  readonly collection: string;
  /** HTTP status of the answer. */
  readonly status: number;
  /** Address of the machine it came from. */
  readonly from: string;
}

/** Requests of the daemons so far, oldest first. A watch counts once. */
export async function readAudit(file: string): Promise<AuditedRequest[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    // The last line may be half written.
    if (!line.endsWith("}")) return [];
    const { stage, verb, requestURI, responseStatus, sourceIPs, objectRef } = entrySchema.parse(JSON.parse(line));
    // Of a watch the log has its begin and its end.
    if (verb === "watch" ? stage !== "ResponseStarted" : stage !== "ResponseComplete") return [];
    const resource = objectRef?.resource ?? "";
    return [{ verb, resource, collection: collectionOf(requestURI), status: responseStatus?.code ?? 0, from: sourceIPs[0] ?? "" }];
  });
}

function collectionOf(uri: string): string {
  const { pathname, searchParams } = new URL(uri, "http://apiserver");
  const selector = searchParams.get("fieldSelector");
  return selector === null ? pathname : `${pathname}?${selector}`;
}
