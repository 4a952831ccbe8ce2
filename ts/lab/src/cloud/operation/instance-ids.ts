import { z } from "zod";
import { apiError } from "../api-error.ts";

const idList = z.array(z.string()).max(100);

/** Some ECS parameters hold a JSON list as text, for example `["i-1","i-2"]`. */
export function parseIdList(name: string, text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  try {
    return idList.parse(JSON.parse(text));
  } catch {
    throw apiError("InvalidParameter", { name, reason: "It must be a JSON list of at most 100 ids." });
  }
}
