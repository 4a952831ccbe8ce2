import { cloudErrorEntry, type EventSink, type PoolEvent } from "@terway/model";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

const wrongNames: ReadonlySet<string> = new Set(["vswitch_unknown", "security_group_unknown"]);

/** What the pool reports, told to operators: a line in the log, an event, a metric. The pool tells a lasting problem once. */
export function poolEventSink(log: Logger, events: EventSink, metrics: Metrics): (event: PoolEvent) => void {
  const node = { kind: "Node" } as const;
  return (event) => {
    switch (event.type) {
      case "problem": {
        const { class: kind, code, message, resource } = event.problem;
        log.warn({ code, class: kind, resource, name: cloudErrorEntry(code)?.id }, message);
        // Names in eni_conf that the cloud does not know.
        if (wrongNames.has(cloudErrorEntry(code)?.id ?? "")) events.emit("ConfigError", node, `eni_conf: ${message}`);
        else events.emit(kind === "quota" || kind === "exhausted" ? "CreateENIFailed" : "SyncOpenAPIFailed", node, message);
        return;
      }
      case "recovered":
        events.emit("SyncOpenAPISuccess", node, `${event.code} is over`);
        log.info({ code: event.code }, "the problem is over");
        return;
      case "eni-created":
        events.emit("CreateENISucceed", node, `created ${event.eniId}`);
        log.info({ eniId: event.eniId }, "ENI created");
        return;
      case "eni-attached":
        events.emit("AttachENISucceed", node, `attached ${event.eniId}`);
        log.info({ eniId: event.eniId }, "ENI attached");
        return;
      case "eni-deleted":
        events.emit("DeleteENISucceed", node, `deleted ${event.eniId}`);
        log.info({ eniId: event.eniId }, "ENI deleted");
        return;
      case "assigned":
        log.info({ eniId: event.eniId, addresses: event.addresses }, "addresses assigned");
        return;
      case "unassigned":
        metrics.disposed(event.addresses[0]?.includes(":") ? "ipv6" : "ipv4", event.addresses.length);
        log.info({ eniId: event.eniId, addresses: event.addresses }, "addresses given back");
        return;
      case "journal-repaired":
        log.warn(
          { setAside: event.setAside, recordsKept: event.recordsKept, bytesLost: event.bytesLost },
          "the journal was damaged; its readable part is used",
        );
        events.emit("ConfigError", node, `the journal was damaged; ${event.bytesLost} bytes are set aside in ${event.setAside}`);
        return;
      case "address-vanished":
        log.warn({ address: event.address, leaseId: event.leaseId }, "an address in use is unknown to the cloud");
        events.emit("ResourceInvalid", node, `${event.address} of ${event.leaseId} is in use, but the cloud does not know it`);
        return;
    }
  };
}
