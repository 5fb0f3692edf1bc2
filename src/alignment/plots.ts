/** @file Plots of the report: SVG text with horizontal bars on a logarithmic axis. No script, no font, no network. */

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]!);

export type Bar = { readonly label: string; readonly values: readonly { readonly value: number; readonly tone: "a" | "b" | "c" | "bad" }[] };

/** Values at or below `floor` are drawn as no bar; `limit` as a line. */
export function logBars(
  bars: readonly Bar[],
  { floor, ceiling, limit }: { readonly floor: number; readonly ceiling: number; readonly limit: number | null },
): string {
  const [left, width, line] = [250, 560, 14];
  const series = Math.max(1, ...bars.map(({ values }) => values.length));
  const step = Math.max(20, series * 7 + 8);
  const height = bars.length * step + 40;
  const x = (value: number): number => left + (width * Math.log10(Math.min(Math.max(value, floor), ceiling) / floor)) / Math.log10(ceiling / floor);
  const decades = Array.from({ length: Math.round(Math.log10(ceiling / floor)) + 1 }, (_, i) => floor * 10 ** i);
  const grid = decades.map(
    (value) =>
      `<line x1="${x(value)}" x2="${x(value)}" y1="20" y2="${height - 16}" class="grid"/><text x="${x(value)}" y="12" class="tick">1e${Math.round(Math.log10(value))}</text>`,
  );
  const rows = bars.map(({ label, values }, i) => {
    const top = 24 + i * step;
    const each = (step - 8) / series;
    const drawn = values.map(({ value, tone }, j) => {
      const shown = Number.isFinite(value) ? value : ceiling;
      return `<rect x="${left}" y="${top + j * each}" width="${Math.max(0, x(shown) - left).toFixed(1)}" height="${Math.max(3, each - 1)}" class="${tone}"><title>${escapeHtml(label)}: ${value.toPrecision(3)}</title></rect>`;
    });
    return `<text x="${left - 8}" y="${top + line - 3}" class="label">${escapeHtml(label)}</text>${drawn.join("")}`;
  });
  const mark = limit === null ? "" : `<line x1="${x(limit)}" x2="${x(limit)}" y1="16" y2="${height - 16}" class="limit"/>`;
  return `<svg viewBox="0 0 ${left + width + 30} ${height}" role="img">${grid.join("")}${rows.join("")}${mark}</svg>`;
}
