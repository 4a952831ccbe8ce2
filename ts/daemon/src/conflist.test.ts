import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { publishConflist, readConflistSource, renderConflist } from "./conflist.ts";

const render = (value: unknown) => {
  const rendered = renderConflist({ path: "/etc/eni/10-terway.conf", text: typeof value === "string" ? value : JSON.stringify(value) });
  return rendered.ok ? { list: JSON.parse(rendered.text), warnings: rendered.warnings } : { problems: rendered.problems };
};
const head = { cniVersion: "0.4.0", cniVersions: ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"], name: "terway-chainer" };

describe("rendering", () => {
  test("without a source: one plugin that takes bandwidth", () => {
    const rendered = renderConflist(undefined);
    expect(rendered.ok && JSON.parse(rendered.text)).toEqual({
      ...head,
      plugins: [{ type: "terway", capabilities: { bandwidth: true }, eniip_virtual_type: "veth" }],
    });
  });

  test("a single plugin loses its name and version and keeps the rest", () => {
    const { list } = render({ cniVersion: "0.3.1", name: "terway", type: "terway", mtu: 8500, capabilities: { bandwidth: true } });
    expect(list).toEqual({
      ...head,
      plugins: [{ type: "terway", mtu: 8500, capabilities: { bandwidth: true }, eniip_virtual_type: "veth" }],
    });
  });

  test("an operator's chain keeps its order, other plugins and list keys", () => {
    const { list } = render({
      cniVersion: "0.3.1",
      name: "mine",
      disableGC: true,
      plugins: [{ type: "terway" }, { type: "portmap", capabilities: { portMappings: true }, snat: true }],
    });
    expect(list).toEqual({
      ...head,
      disableGC: true,
      plugins: [
        { type: "terway", eniip_virtual_type: "veth" },
        { type: "portmap", capabilities: { portMappings: true }, snat: true },
      ],
    });
  });

  test("the list names the device that pods get, also with datapathv2", () => {
    const { list, warnings } = render({ type: "terway", eniip_virtual_type: "datapathv2" });
    expect(list.plugins).toEqual([{ type: "terway", eniip_virtual_type: "veth" }]);
    expect(warnings).toEqual([]);
  });

  test("what is not implemented is said in a warning", () => {
    const { warnings } = render({ type: "terway", cilium_enable_hubble: "true" });
    expect(warnings).toContainEqual(expect.objectContaining({ path: "cilium_enable_hubble", code: "not_implemented" }));
  });

  test.each([
    ["{", "line 1"],
    ["[]", "expected object"],
    [{ plugins: [] }, "plugins"],
    [{ plugins: [{ type: "portmap" }] }, "0 are of type terway"],
    [{ plugins: [{ type: "terway" }, { type: "terway" }] }, "2 are of type terway"],
    [{ type: "terway", mtu: "big" }, "mtu"],
  ])("%j is refused, naming %s", (value, names) => {
    expect(render(value).problems?.join("\n")).toContain(names);
  });
});

describe("publishing", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "terway-conflist-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test("writes once, for root only, leaves no temporary file and removes the stale configuration", async () => {
    await writeFile(join(directory, "10-terway.conf"), "{}");
    await writeFile(join(directory, "20-other.conf"), "{}");
    expect(await publishConflist(directory, "one\n")).toBe(true);
    expect((await readdir(directory)).sort()).toEqual(["10-terway.conflist", "20-other.conf"]);
    const path = join(directory, "10-terway.conflist");
    const first = await stat(path);
    expect(first.mode & 0o777).toBe(0o600);
    expect(await publishConflist(directory, "one\n")).toBe(false);
    expect((await stat(path)).ino).toBe(first.ino);
    expect(await publishConflist(directory, "two\n")).toBe(true);
    expect(await readFile(path, "utf8")).toBe("two\n");
  });

  test("the operator's conflist wins over the single plugin; none of both is no error", async () => {
    const conf = join(directory, "10-terway.conf");
    expect(await readConflistSource(conf)).toBeUndefined();
    await writeFile(conf, "single");
    expect(await readConflistSource(conf)).toEqual({ path: conf, text: "single" });
    await writeFile(`${conf}list`, "chain");
    expect(await readConflistSource(conf)).toEqual({ path: `${conf}list`, text: "chain" });
  });
});
