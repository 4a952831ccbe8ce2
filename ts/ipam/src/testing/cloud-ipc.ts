import type { Cloud, CloudErrorFields } from "@terway/model";
import { CloudError } from "@terway/model";

/** The cloud of a test that outlives the daemon's process: the parent has it, the child calls it over the channel that `fork` opened. */
interface CallMessage {
  readonly call: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

type AnswerMessage = { readonly call: number } & ({ readonly value: unknown } | { readonly error: CloudErrorFields & { message: string } });

/** In the parent: answers one message of the child. True when it was a cloud call. */
export function serveCloud(cloud: Cloud, message: unknown, send: (answer: AnswerMessage) => void): boolean {
  if (!isCall(message)) return false;
  const { call, method, args } = message;
  // The child is this repository's own fixture and sends method names of the port.
  const target = cloud as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
  void target[method]?.(...args).then(
    (value) => send({ call, value }),
    (error: CloudError) => send({ call, error: { ...error, message: error.message } }),
  );
  return true;
}

function isCall(message: unknown): message is CallMessage {
  return typeof message === "object" && message !== null && "call" in message && "method" in message;
}

/** In the child. */
export function cloudOverIpc(): Cloud {
  const waiting = new Map<number, (answer: AnswerMessage) => void>();
  let next = 1;
  process.on("message", (message: AnswerMessage) => {
    waiting.get(message.call)?.(message);
    waiting.delete(message.call);
  });
  const call = (method: string, args: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      const number = next++;
      waiting.set(number, (answer) =>
        "error" in answer ? reject(new CloudError(answer.error.message, answer.error)) : resolve(answer.value),
      );
      process.send?.({ call: number, method, args });
    });
  // Every method of the port has this one implementation.
  return new Proxy(
    {},
    {
      get:
        (_, method) =>
        (...args: readonly unknown[]) =>
          call(String(method), args),
    },
  ) as Cloud;
}
