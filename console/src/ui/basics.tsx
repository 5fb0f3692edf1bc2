/** @file The small pieces every screen is made of. No data, no words of their own beyond labels. */
import type { ButtonHTMLAttributes, ComponentType, ReactNode, SVGProps } from "react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { AlertIcon, BusyIcon, CheckIcon, CopyIcon } from "./icons.ts";

export type Icon = ComponentType<SVGProps<SVGSVGElement> & { size?: number | string }>;

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  readonly look?: "plain" | "primary" | "quiet" | "danger";
  readonly small?: boolean;
  readonly icon?: Icon;
  readonly busy?: boolean;
};

export function Button({ look = "plain", small, icon: Mark, busy, children, className, disabled, ...rest }: ButtonProps) {
  const classes = ["button", look === "danger" ? "quiet danger" : look, small ? "small" : "", className ?? ""].join(" ");
  return (
    <button type="button" className={classes} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {busy ? <BusyIcon size={14} className="spin" aria-hidden /> : Mark ? <Mark size={small ? 14 : 15} aria-hidden /> : null}
      {children}
    </button>
  );
}

/** A button with only a picture; its label is read out and shown on hover. */
export function IconButton({
  label,
  icon: Mark,
  small = true,
  look = "quiet",
  className,
  ...rest
}: Omit<ButtonProps, "icon" | "children"> & { readonly label: string; readonly icon: Icon }) {
  const classes = ["button icon", look === "danger" ? "quiet danger" : look, small ? "small" : "", className ?? ""].join(" ");
  return (
    <button type="button" className={classes} aria-label={label} title={label} {...rest}>
      <Mark size={small ? 15 : 17} aria-hidden />
    </button>
  );
}

export function Empty({
  icon: Mark,
  title,
  children,
  actions,
}: {
  readonly icon: Icon;
  readonly title: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}) {
  return (
    <div className="empty">
      <Mark size={28} strokeWidth={1.5} aria-hidden />
      <h2>{title}</h2>
      {children ? <p>{children}</p> : null}
      {actions ? <div className="row">{actions}</div> : null}
    </div>
  );
}

export function Progress({ value, label }: { readonly value: number | null; readonly label: string }) {
  const percent = value === null ? null : Math.max(0, Math.min(100, Math.round(value * 100)));
  return (
    <div
      className={percent === null ? "progress unknown" : "progress"}
      role="progressbar"
      aria-label={label}
      {...(percent === null ? {} : { "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100 })}
    >
      <span style={percent === null ? undefined : { width: `${percent}%` }} />
    </div>
  );
}

export type Tone = "ok" | "warn" | "bad" | "accent" | "plain";

/** Status by shape and word as well as colour. */
export function Badge({
  tone = "plain",
  icon: Mark,
  spin,
  children,
}: {
  readonly tone?: Tone;
  readonly icon?: Icon;
  readonly spin?: boolean;
  readonly children: ReactNode;
}) {
  return (
    <span className={`badge ${tone}`}>
      {Mark ? <Mark size={14} aria-hidden className={spin ? "spin" : undefined} /> : null}
      {children}
    </span>
  );
}

export function Notice({
  tone = "plain",
  icon: Mark = AlertIcon,
  children,
  action,
}: {
  readonly tone?: Tone;
  readonly icon?: Icon;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}) {
  return (
    <div className={`notice ${tone}`} role={tone === "bad" ? "alert" : undefined}>
      <Mark size={16} aria-hidden />
      <div className="grow">{children}</div>
      {action}
    </div>
  );
}

export function CopyButton({ text, label, icon = CopyIcon }: { readonly text: string; readonly label: string; readonly icon?: Icon }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1600);
  };
  return <IconButton label={copied ? t("common.copied") : label} icon={copied ? CheckIcon : icon} onClick={() => void copy()} />;
}

/** `navigator.clipboard` exists only on https and localhost; a box in the LAN is often plain http. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function Switch({
  checked,
  onChange,
  children,
}: {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly children: ReactNode;
}) {
  return (
    <label className="switch">
      <input type="checkbox" role="switch" aria-checked={checked} checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {children}
    </label>
  );
}

export function Skeletons({ rows = 4, label }: { readonly rows?: number; readonly label: string }) {
  return (
    <div className="col" style={{ gap: 14, padding: 16 }} role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="skeleton" style={{ width: `${[72, 54, 83, 61, 45][index % 5]}%` }} />
      ))}
    </div>
  );
}
