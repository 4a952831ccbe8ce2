/** One bench of `npm run bench`. */
export interface Bench {
  /** Names its command, its schema and its result files. */
  readonly name: string;
  /** One line for the help text. */
  readonly about: string;
  /** Values of `--mode`, the default first; absent: it has none. Another mode's result stands in files of its own, `<name>.<mode>.*`. */
  readonly modes?: readonly string[];
  /** Measures, and removes what it made, also when it fails. `files`: the result for people by ending, `md` among them. */
  run(
    smoke: boolean,
    say: (line: string) => void,
    mode?: string,
  ): Promise<{ result: object; files: { readonly md: string; readonly svg?: string } }>;
}
