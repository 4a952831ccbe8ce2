import { type AllocateFailure, cniCode, type DatapathError, type Drift } from "@terway/model";
import { CniError, StoppingError } from "./failure.ts";

/** What an ADD without an address is told. */
export function allocationRefusal(failure: AllocateFailure, unready: string | undefined): Error {
  if (failure.reason === "stopping") return new StoppingError();
  return new CniError(cniCode.tryAgainLater, unready ?? failure.message);
}

export function datapathRefusal(error: DatapathError): CniError {
  return new CniError(cniCode.tryAgainLater, error.message);
}

export function driftRefusal(id: string, drifts: readonly Drift[]): CniError {
  return new CniError(100, `${id} differs: ${drifts.map((one) => one.object).join(", ")}`);
}
