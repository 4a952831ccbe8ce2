/** One thing that a program does at the API server. The chart's roles grant what stands in its table, and no more. */
export interface Access {
  /** Empty for the core group. */
  readonly apiGroup: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Absent: in the whole cluster. */
  readonly namespace?: string;
  /** Absent: every object. */
  readonly names?: readonly string[];
  readonly why: string;
}
