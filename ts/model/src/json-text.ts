/**
 * JSON text from people: says where it is broken (line and column, counted from 1) and which keys stand twice. The platform's own message is
 * not used, because it quotes the text around the fault, which may be a secret.
 */
export type JsonText =
  | { readonly ok: true; readonly value: unknown; readonly duplicates: readonly string[] }
  | { readonly ok: false; readonly line: number; readonly column: number; readonly message: string };

class Fault {
  readonly offset: number;
  readonly message: string;

  constructor(offset: number, message: string) {
    this.offset = offset;
    this.message = message;
  }
}

const space = /[ \t\n\r]*/y;
const literal = /true|false|null/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids raw control characters in strings (RFC 8259, section 7).
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
/** Deeper nesting is refused, as a guard of the stack; configuration nests five deep. */
const maxDepth = 200;

/** Walks the text once as RFC 8259 grammar; collects duplicate keys; throws {@link Fault} at the first place that cannot be right. */
function scan(text: string): string[] {
  const duplicates: string[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const expect = (what: string, ...characters: string[]): string => {
    take(space);
    const character = text[at];
    if (character === undefined) throw new Fault(at, `the text ends where ${what} is expected`);
    if (!characters.includes(character)) throw new Fault(at, `${what} is expected here`);
    at++;
    return character;
  };
  const list = (close: string, path: string, depth: number, item: (path: string, index: number) => void) => {
    if (depth > maxDepth) throw new Fault(at, "nesting is too deep");
    at++;
    take(space);
    if (text[at] === close) {
      at++;
      return;
    }
    for (let index = 0; ; index++) {
      item(path, index);
      if (expect(`"," or "${close}"`, ",", close) === close) return;
    }
  };
  const value = (path: string, depth: number): void => {
    take(space);
    const first = text[at];
    if (first === undefined) throw new Fault(at, "the text ends where a value is expected");
    if (first === "{") {
      const seen = new Set<string>();
      list("}", path, depth, () => {
        take(space);
        const start = at;
        const key = take(string);
        if (key === undefined)
          throw new Fault(start, text[start] === undefined ? "the text ends where a key is expected" : 'a key in "" is expected here');
        const name = String(JSON.parse(key));
        const child = path === "" ? name : `${path}.${name}`;
        if (seen.has(name)) duplicates.push(child);
        seen.add(name);
        expect('":"', ":");
        value(child, depth + 1);
      });
    } else if (first === "[") list("]", path, depth, (parent, index) => value(`${parent}[${index}]`, depth + 1));
    else if (first === '"' ? take(string) === undefined : (take(literal) ?? take(number)) === undefined) {
      throw new Fault(
        at,
        first === '"' ? "this string is not closed, or holds a control character or a wrong escape" : "this is no JSON value",
      );
    }
  };
  value("", 0);
  take(space);
  if (at < text.length) throw new Fault(at, "nothing may follow the value");
  return duplicates;
}

export function parseJsonText(text: string): JsonText {
  const body = text.startsWith("\uFEFF") ? text.slice(1) : text;
  try {
    const duplicates = scan(body);
    return { ok: true, value: JSON.parse(body), duplicates };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const before = body.slice(0, error.offset).split("\n");
    return { ok: false, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message: error.message };
  }
}
