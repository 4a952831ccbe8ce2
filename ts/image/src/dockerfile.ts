import { z } from "zod";
import type { ImageConfig } from "./oci.ts";

/** One COPY: a folder of the build context, unpacked into the image's root; a layer. */
export interface ParsedDockerfile {
  readonly config: ImageConfig;
  readonly copies: readonly string[];
}

const strings = z.array(z.string());

/**
 * Reads the part of the Dockerfile language that our images need (FROM scratch, ARG TARGETARCH, COPY of a folder to /, ENV, LABEL, USER, WORKDIR,
 * ENTRYPOINT as JSON), so that one file defines the image for both ways of building it. Throws at anything else.
 */
export function parseDockerfile(text: string, args: Readonly<Record<string, string>>): ParsedDockerfile {
  const env: string[] = [];
  const labels: Record<string, string> = {};
  const copies: string[] = [];
  let entrypoint: readonly string[] | undefined;
  const rest: { User?: string; WorkingDir?: string } = {};
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [instruction = "", ...words] = line.trim().split(/\s+/);
    const argument = words.join(" ").replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => args[name] ?? whole);
    const pairs = () =>
      [...argument.matchAll(/([\w.-]+)=("[^"]*"|\S+)/g)].map(([, key = "", value = ""]) => [key, value.replace(/^"|"$/g, "")] as const);
    if (instruction === "COPY") {
      const [from = "", to, ...more] = argument.split(" ");
      if (to !== "/" || more.length > 0 || !from.endsWith("/"))
        throw new Error(`Dockerfile: only "COPY folder/ /" is understood, not ${line}`);
      copies.push(from);
    } else if (instruction === "ENV") env.push(...pairs().map(([key, value]) => `${key}=${value}`));
    else if (instruction === "LABEL") Object.assign(labels, Object.fromEntries(pairs()));
    else if (instruction === "USER") rest.User = argument;
    else if (instruction === "WORKDIR") rest.WorkingDir = argument;
    else if (instruction === "ENTRYPOINT") entrypoint = strings.parse(JSON.parse(argument));
    else if (!(instruction === "FROM" && argument === "scratch") && instruction !== "ARG")
      throw new Error(`Dockerfile: ${instruction} is not understood: ${line}`);
  }
  if (entrypoint === undefined) throw new Error("Dockerfile: no ENTRYPOINT");
  return { copies, config: { Entrypoint: entrypoint, Env: env, ...rest, Labels: labels } };
}
