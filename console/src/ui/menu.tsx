/** @file A small menu under a button: opens with click, Enter or arrow down; arrows move; Escape gives the focus back. */
import { type KeyboardEvent, type ReactNode, useId, useLayoutEffect, useRef, useState } from "react";
import type { Icon } from "./basics.tsx";

type Props = {
  readonly label: string;
  /** What the button shows; without it, only the icon. */
  readonly text?: ReactNode;
  readonly icon?: Icon;
  readonly className?: string;
  readonly align?: "start" | "end";
  readonly children: (close: () => void) => ReactNode;
};

export function Menu({ label, text, icon: Mark, className = "button quiet icon small", align = "end", children }: Props) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);

  const place = () => {
    const anchor = button.current?.getBoundingClientRect();
    const element = panel.current;
    if (anchor === undefined || element === null) return;
    const { width, height } = element.getBoundingClientRect();
    const left = align === "end" ? anchor.right - width : anchor.left;
    const below = anchor.bottom + 4;
    const fits = below + height < window.innerHeight - 8;
    element.style.left = `${Math.max(8, Math.min(left, window.innerWidth - width - 8))}px`;
    element.style.top = `${fits ? below : Math.max(8, anchor.top - height - 4)}px`;
  };
  const close = () => {
    panel.current?.hidePopover();
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const list = [...(panel.current?.querySelectorAll<HTMLElement>("button:not(:disabled), a, input") ?? [])];
    const step = event.key === "ArrowDown" ? 1 : -1;
    list[(list.indexOf(document.activeElement as HTMLElement) + step + list.length) % list.length]?.focus();
  };
  // The entries exist only while open, so measure and focus after they are drawn.
  useLayoutEffect(() => {
    if (!open) return;
    place();
    panel.current?.querySelector<HTMLElement>("button:not(:disabled), a, input")?.focus();
  }, [open]);

  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        aria-label={text === undefined ? label : undefined}
        title={label}
        aria-expanded={open}
        aria-haspopup="true"
        popoverTarget={id}
      >
        {Mark ? <Mark size={15} aria-hidden /> : null}
        {text}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        className="menu"
        role="group"
        aria-label={label}
        onKeyDown={onKeyDown}
        onToggle={(event) => setOpen((event.nativeEvent as ToggleEvent).newState === "open")}
      >
        {open ? children(close) : null}
      </div>
    </>
  );
}
