import {
  type AllocateFailure,
  cloudErrorEntry,
  cniCode,
  cniCodeOfDatapath,
  cniCodeOfProblem,
  type DatapathError,
  type Drift,
  ownCniErrors,
} from "@terway/model";
import { CniError, StoppingError } from "./failure.ts";

/** What an ADD without an address is told: the cause as people know it, with the cloud's own code. */
export function allocationRefusal(failure: AllocateFailure, unready: string | undefined): Error {
  if (failure.reason === "stopping") return new StoppingError();
  const { problem } = failure;
  // While the bounds of the pool are unknown it calls itself full; the cause is why they are unknown.
  if (problem === undefined || (problem.class === "full" && unready !== undefined))
    return new CniError(cniCode.tryAgainLater, unready ?? failure.message);
  const name = cloudErrorEntry(problem.code)?.id;
  return new CniError(cniCodeOfProblem(problem), failure.message, `${problem.code}${name === undefined ? "" : ` (${name})`}`);
}

/** A failure that the caller can see in its own environment names the variable, as the executable does. */
export function datapathRefusal(error: DatapathError): CniError {
  const variable = error.code === "netns_gone" ? "CNI_NETNS: " : error.code === "interface_exists" ? "CNI_IFNAME: " : "";
  return new CniError(cniCodeOfDatapath(error.code), `${variable}${error.message}`, error.object);
}

/** CHECK: every object that differs, by the name people know. */
export function driftRefusal(id: string, drifts: readonly Drift[]): CniError {
  const lines = drifts.map(
    ({ where, object, problem, detail }) => `${where} ${object} is ${problem}${detail === undefined ? "" : ` (${detail})`}`,
  );
  return new CniError(ownCniErrors.drifted.code, `${id} is not as it should be: ${lines.join("; ")}`);
}
