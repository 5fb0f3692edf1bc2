/** @file A wide table on a narrow screen: scrolls on its own, by keyboard too. */
import type { ReactNode } from "react";

export function TableScroll({ label, card, children }: { readonly label: string; readonly card?: boolean; readonly children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={card === true ? "card table-scroll" : "table-scroll"} aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
