/** @file The frame of set-up and sign-in: brand, language and colours, one form. */
import type { FormEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { LookButtons } from "../../app/account-menu.tsx";

export function Gate({
  title,
  lead,
  onSubmit,
  children,
}: {
  readonly title: string;
  readonly lead: string;
  readonly onSubmit: (form: FormData) => void;
  readonly children: ReactNode;
}) {
  const { t } = useTranslation();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget));
  };
  return (
    <div className="gate">
      <header>
        <span className="brand">
          <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" fill="var(--accent)" />
            <path d="M16 5.500l2.700 7.800 7.800 2.700-7.800 2.700L16 26.500l-2.700-7.800L5.500 16l7.800-2.700z" fill="var(--accent-text)" />
          </svg>
          {t("shell.brand")}
        </span>
        <span className="row end" style={{ gap: 2 }}>
          <LookButtons />
        </span>
      </header>
      <main>
        <form className="card" onSubmit={submit}>
          <div>
            <h1>{title}</h1>
            <p className="lead">{lead}</p>
          </div>
          {children}
        </form>
      </main>
    </div>
  );
}

export function Field({
  name,
  label,
  type = "text",
  hint,
  ...rest
}: { readonly name: string; readonly label: string; readonly hint?: string } & React.InputHTMLAttributes<HTMLInputElement>) {
  return (
    <div className="field">
      <label htmlFor={`field-${name}`}>{label}</label>
      <input
        id={`field-${name}`}
        className="input"
        name={name}
        type={type}
        required
        aria-describedby={hint === undefined ? undefined : `hint-${name}`}
        {...rest}
      />
      {hint === undefined ? null : (
        <span className="hint" id={`hint-${name}`}>
          {hint}
        </span>
      )}
    </div>
  );
}
