/** @file Rows of cells to lines that can be read alone: "列：值；列：值". Knows no format. */

/** A first row of short, different, non-numeric texts names the columns. */
export function isHeaderRow(row: readonly string[], next: readonly string[] | undefined): boolean {
  const filled = row.filter((cell) => cell !== "");
  if (filled.length < 2 || next === undefined || filled.length < next.filter((cell) => cell !== "").length * 0.6) return false;
  if (filled.some((cell) => cell.length > 40 || /^[-+]?[\d.,%￥¥$]+$/.test(cell) || /[。！？]$/.test(cell))) return false;
  return new Set(filled).size === filled.length;
}

export function presentRow(header: readonly string[] | null, row: readonly string[]): string {
  const cells = row.map((cell) => cell.replace(/\s*\n\s*/g, " ").trim());
  if (header === null) return cells.filter((cell) => cell !== "").join(" | ");
  const named: string[] = [];
  cells.forEach((cell, column) => {
    if (cell === "") return;
    const name = header[column]?.replace(/\s*\n\s*/g, " ").trim() ?? "";
    named.push(name === "" ? cell : `${name}：${cell}`);
  });
  return named.join("；");
}
