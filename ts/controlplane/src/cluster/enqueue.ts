import { keyOf, type Objects, type Stored } from "@terway/kube";

/** A source of a keyed controller: every object that is there, and each that changes, by the keys that `keys` names for it. */
export function changesOf<T extends Stored>(
  objects: Objects<T>,
  keys: (object: T) => readonly string[] = (object) => [keyOf(object)],
): (enqueue: (key: string) => void) => () => void {
  return (enqueue) => {
    const tell = (object: T) => {
      for (const key of keys(object)) enqueue(key);
    };
    for (const object of objects.values()) tell(object);
    return objects.listen((event) => {
      if (event.type !== "added") tell(event.before);
      if (event.type !== "deleted") tell(event.object);
    });
  };
}
