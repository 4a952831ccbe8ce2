import { expect, it } from "vitest";
import { replay } from "./simulator.ts";
import { ids, openRegion, type Region } from "./testing/region.ts";

async function day({ attachEni, call, clock, simulator, createEni }: Region): Promise<void> {
  simulator.setFault({ effect: { type: "stuck" }, match: { action: "DetachNetworkInterface", probability: 0.5 } });
  const eniId = await attachEni({ SecondaryPrivateIpAddressCount: "4" });
  await clock.advance(5000);
  await call("AssignIpv6Addresses", { NetworkInterfaceId: eniId, Ipv6AddressCount: "2" });
  await createEni({ Ipv6AddressCount: "1", ClientToken: "t" });
  await call("DetachNetworkInterface", { NetworkInterfaceId: eniId, InstanceId: ids.instance });
  await clock.advance(60_000);
}

it("takes recorded steps again to the same state and history; another seed gives other names", async () => {
  const region = await openRegion({ seed: 42, record: true, settings: { delays: "realistic" } });
  // With realistic delays an answer needs time: let the clock run while calls wait.
  const { simulator, clock } = region;
  const running = {
    ...region,
    call: (action: string, parameters: Record<string, string>) => drive(clock.advance.bind(clock), simulator.call(action, parameters)),
  };
  const createEni = async (parameters: Record<string, string>) =>
    String(
      (await running.call("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, ...parameters }))
        .NetworkInterfaceId,
    );
  const attachEni = async (parameters: Record<string, string>) => {
    const id = await createEni(parameters);
    await running.call("AttachNetworkInterface", { NetworkInterfaceId: id, InstanceId: ids.instance });
    await clock.advance(60_000);
    return id;
  };
  await day({ ...running, createEni: (parameters = {}) => createEni(parameters), attachEni: (parameters = {}) => attachEni(parameters) });

  const again = replay(42, simulator.recording);
  expect(again.state.toJSON()).toEqual(simulator.state().toJSON());
  expect(again.history.entries()).toEqual(simulator.history());
  expect(simulator.history().length).toBeGreaterThan(5);
  const other = replay(43, simulator.recording);
  expect([...other.state.enis.keys()]).not.toEqual([...again.state.enis.keys()]);
});

async function drive<T>(advance: (ms: number) => Promise<void>, pending: Promise<T>): Promise<T> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  pending.then(mark, mark);
  while (!settled) await advance(100);
  return pending;
}
