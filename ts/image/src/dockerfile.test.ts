import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseDockerfile } from "./dockerfile.ts";

test("the repository's own Dockerfile: what changes seldom is the lower layer", () => {
  const text = readFileSync(new URL("../../../Dockerfile", import.meta.url), "utf8");
  const { config, copies } = parseDockerfile(text, { TARGETARCH: "arm64" });
  expect(copies).toEqual(["arm64/runtime/", "arm64/terway/"]);
  expect(config.Entrypoint.at(0)).toBe("/usr/local/bin/node");
  expect(config.Entrypoint.at(-1)).toBe("/opt/terway/terwayd.cjs");
  expect(config.Env).toContain("MALLOC_ARENA_MAX=1");
  expect(config.Labels).toMatchObject({ "org.opencontainers.image.title": "terway" });
  expect(JSON.stringify({ config, copies })).not.toContain("${");
});

test.each([["RUN apt-get install x"], ["COPY file /"], ["COPY folder/ /elsewhere"], ["FROM debian"], ["EXPOSE 1"]])(
  "what it does not understand is refused, not left out: %s",
  (line) => {
    expect(() => parseDockerfile(`${line}\nENTRYPOINT ["/a"]`, {})).toThrow(line.split(" ")[0]);
  },
);

test("no entry point", () => {
  expect(() => parseDockerfile("FROM scratch\n", {})).toThrow("ENTRYPOINT");
});
