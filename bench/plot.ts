/** One bar with its interval. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface BarChart {
  readonly title: string;
  /** A line is drawn here. */
  readonly reference: number;
  readonly groups: readonly { readonly label: string; readonly bars: readonly Bar[] }[];
}

/** A ratio of two things that were measured in the same rounds, as its bar shows it. */
export interface RatioRow {
  readonly kind: string;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const width = 860;
const left = 90;
const right = 60;
const barHeight = 14;
const rowHeight = 19;
const groupHead = 26;

/** Horizontal bars in groups, as an SVG document that needs nothing else. The axis starts at 0. */
export function barChart({ title, reference, groups }: BarChart): string {
  const most = Math.max(reference, ...groups.flatMap(({ bars }) => bars.map(({ value, high }) => Math.max(value, high)))) * 1.02;
  const x = (value: number) => left + (Math.min(value, most) / most) * (width - left - right);
  const parts: string[] = [];
  let y = 40;
  for (const { label, bars } of groups) {
    parts.push(text(12, y + 16, label, "group"));
    y += groupHead;
    for (const bar of bars) {
      const middle = y + barHeight / 2;
      parts.push(
        text(left - 8, middle + 4, bar.label, "label"),
        `<rect x="${left}" y="${y}" width="${(x(bar.value) - left).toFixed(1)}" height="${barHeight}" class="bar"/>`,
        `<path d="M${x(bar.low).toFixed(1)} ${middle}H${x(bar.high).toFixed(1)}" class="interval"/>`,
        text(Math.max(x(bar.high), x(bar.value)) + 6, middle + 4, bar.value.toFixed(3), "value"),
      );
      y += rowHeight;
    }
  }
  const height = y + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>
text{font:12px sans-serif;fill:#222}.title{font-size:14px;font-weight:bold}.group{font-weight:bold}.label{text-anchor:end}.value{fill:#555}
.bar{fill:#5b8fb9}.interval{stroke:#222;stroke-width:2;fill:none}.reference{stroke:#b33;stroke-dasharray:4 3;fill:none}
</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${text(12, 22, title, "title")}
${parts.join("\n")}
<path d="M${x(reference).toFixed(1)} 34V${height - 10}" class="reference"/>
</svg>
`;
}

/** Ratios against 1, one group for each title, in the order in which titles come. */
export function ratioChart<Row extends RatioRow>(title: string, rows: readonly Row[], groupOf: (row: Row) => string): string {
  const groups = Map.groupBy(rows, groupOf);
  const bar = ({ kind, ratio, low, high }: Row): Bar => ({ label: kind, value: ratio, low, high });
  return barChart({ title, reference: 1, groups: [...groups].map(([label, of]) => ({ label, bars: of.map(bar) })) });
}

function text(x: number, y: number, content: string, kind: string): string {
  const escaped = content.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign] ?? sign);
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${kind}">${escaped}</text>`;
}
