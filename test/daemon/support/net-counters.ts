import { inNetNamespace, run } from "@terway/lab";

/** What the kernel has counted in a network namespace, as `/proc/net/snmp` and `/proc/net/netstat` name it: `Tcp` `RetransSegs` for example. */
export async function netCounter(netns: string, file: "snmp" | "netstat", protocol: string, name: string): Promise<number> {
  const { stdout } = await run(inNetNamespace(netns, ["cat", `/proc/net/${file}`]));
  const [names = [], values = []] = stdout
    .split("\n")
    .filter((line) => line.startsWith(`${protocol}:`))
    .map((line) => line.split(" "));
  const value = Number(values[names.indexOf(name)]);
  if (Number.isNaN(value)) throw new Error(`the kernel counts no ${protocol} ${name}`);
  return value;
}
