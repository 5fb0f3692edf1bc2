/** @file The box's own days and months: where one begins and the next follows. */

export function dayOf(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
}

export function dayBounds(ms: number): { readonly from: number; readonly to: number } {
  const at = new Date(ms);
  return {
    from: new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime(),
    to: new Date(at.getFullYear(), at.getMonth(), at.getDate() + 1).getTime(),
  };
}

export function monthBounds(ms: number): { readonly from: number; readonly to: number } {
  const at = new Date(ms);
  return { from: new Date(at.getFullYear(), at.getMonth(), 1).getTime(), to: new Date(at.getFullYear(), at.getMonth() + 1, 1).getTime() };
}
