/** One bench of `npm run bench`. */
export interface Bench {
  /** Names its command, its schema and its result files. */
  readonly name: string;
  /** One line for the help text. */
  readonly about: string;
  /** Measures, and removes what it made, also when it fails. `files`: the result for people by ending, `md` among them. */
  run(smoke: boolean, say: (line: string) => void): Promise<{ result: object; files: { readonly md: string; readonly svg?: string } }>;
}
