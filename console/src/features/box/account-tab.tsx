/** @file One's own account: password, second factor, where one is signed in. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { encode } from "uqr";
import type { SessionInfoRow } from "#contracts";
import { client } from "../../api/client.ts";
import { sessionQuery, sessionsQuery, useAction } from "../../api/queries.ts";
import { Button, CopyButton, IconButton, Notice } from "../../ui/basics.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { DialogForm } from "../../ui/dialog-form.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { KeyIcon, RemoveIcon, ShieldIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { PasswordDialog } from "./password-dialog.tsx";

export function AccountTab() {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery());
  const [renewing, setRenewing] = useState(false);
  const [factor, setFactor] = useState<"on" | "off" | null>(null);
  const id = session?.actor?.personId ?? null;
  if (session?.actor === undefined || session.actor === null || id === null) return <div className="page-body" />;
  return (
    <div className="page-body">
      <section className="card section">
        <div className="row wrap">
          <strong>{session.actor.name}</strong>
          <span className="muted small">{session.email}</span>
          <span className="tag">{t(`people.${session.actor.role as "member"}`)}</span>
        </div>
        <div className="row wrap" style={{ gap: 8 }}>
          <Button small icon={KeyIcon} onClick={() => setRenewing(true)}>
            {t("people.password")}
          </Button>
          <Button small icon={ShieldIcon} onClick={() => setFactor("on")}>
            {t("factor.set")}
          </Button>
          <Button small look="quiet" onClick={() => setFactor("off")}>
            {t("factor.off")}
          </Button>
        </div>
        <p className="muted small">{t("factor.hint")}</p>
      </section>
      <Sessions />
      {renewing ? <PasswordDialog id={id} name={session.actor.name} onClose={() => setRenewing(false)} /> : null}
      {factor === "on" ? <FactorDialog onClose={() => setFactor(null)} /> : null}
      {factor === "off" ? <FactorOffDialog onClose={() => setFactor(null)} /> : null}
    </div>
  );
}

function Sessions() {
  const { t } = useTranslation();
  const sessions = useQuery(sessionsQuery());
  const others = useAction(() => client.account.endOtherSessions(), [["sessions"]]);
  return (
    <section className="col" style={{ gap: 8 }}>
      <div className="row">
        <h2 className="label">{t("sessions.title")}</h2>
        {(sessions.data?.length ?? 0) > 1 ? (
          <Button small className="end" busy={others.isPending} onClick={() => others.mutate(undefined)}>
            {t("sessions.endOthers")}
          </Button>
        ) : null}
      </div>
      <QueryState query={sessions} rows={2} />
      {others.isError ? <ErrorCard error={others.error} /> : null}
      <ul className="card lines" aria-label={t("sessions.title")}>
        {sessions.data?.map((item) => (
          <SessionRow key={item.id} item={item} />
        ))}
      </ul>
    </section>
  );
}

function SessionRow({ item }: { readonly item: SessionInfoRow }) {
  const { t } = useTranslation();
  const { ago } = useFormat();
  const end = useAction(() => client.account.endSession(item.id), [["sessions"]]);
  return (
    <li className="model row wrap">
      <span className="col grow" style={{ minWidth: 0 }}>
        <strong className="clip">{browserOf(item.userAgent) ?? t("sessions.program")}</strong>
        <span className="muted small">{[item.address, t("sessions.seen", { time: ago(item.lastSeenAt) })].filter(Boolean).join(" · ")}</span>
      </span>
      {item.current ? <span className="tag accent">{t("sessions.here")}</span> : null}
      {item.current ? null : (
        <IconButton label={t("sessions.end")} icon={RemoveIcon} disabled={end.isPending} onClick={() => end.mutate(undefined)} />
      )}
    </li>
  );
}

/** "Firefox · Linux", as far as it can be told. */
function browserOf(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(userAgent)?.[1]?.replace("Edg", "Edge").replace("OPR", "Opera");
  const system = /Android|iPhone|iPad|Windows|Mac OS X|Linux/.exec(userAgent)?.[0]?.replace("Mac OS X", "macOS");
  return [browser, system].filter(Boolean).join(" · ") || userAgent.slice(0, 40);
}

function FactorDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const [made, setMade] = useState<{ readonly secret: string; readonly uri: string } | null>(null);
  const [recovery, setRecovery] = useState<readonly string[] | null>(null);
  const start = useAction(() => client.account.startSecondFactor(), []);
  const confirm = useAction((code: string) => client.account.confirmSecondFactor(code), [["people"]]);
  return (
    <Dialog title={t("factor.set")} onClose={onClose}>
      {recovery !== null ? (
        <>
          <Notice tone="warn" action={<CopyButton text={recovery.join("\n")} label={t("factor.copy")} />}>
            <p>
              <strong>{t("factor.recovery")}</strong>
            </p>
            <p>{t("factor.recoveryHint")}</p>
          </Notice>
          <ul className="recovery mono">
            {recovery.map((code) => (
              <li key={code}>{code}</li>
            ))}
          </ul>
          <div className="actions">
            <Button look="primary" onClick={onClose}>
              {t("factor.kept")}
            </Button>
          </div>
        </>
      ) : made === null ? (
        <>
          <p>{t("factor.lead")}</p>
          {start.isError ? <ErrorCard error={start.error} /> : null}
          <div className="actions">
            <Button onClick={onClose}>{t("common.cancel")}</Button>
            <Button look="primary" busy={start.isPending} onClick={() => start.mutate(undefined, { onSuccess: setMade })}>
              {t("factor.begin")}
            </Button>
          </div>
        </>
      ) : (
        <DialogForm
          action={confirm}
          deed={t("factor.confirm")}
          onClose={onClose}
          onSubmit={(form) => {
            const code = String(form.get("code") ?? "").trim();
            confirm.mutate(code, { onSuccess: (done) => setRecovery(done.recovery) });
          }}
        >
          <p>{t("factor.scan")}</p>
          <QrCode text={made.uri} label={t("factor.qr")} />
          <p className="row wrap small">
            <span className="muted">{t("factor.secret")}</span>
            <code style={{ overflowWrap: "anywhere" }}>{made.secret}</code>
            <CopyButton text={made.secret} label={t("factor.copySecret")} />
          </p>
          <div className="field">
            <label htmlFor="factor-code">{t("factor.code")}</label>
            <input id="factor-code" name="code" className="input" required inputMode="numeric" autoComplete="one-time-code" maxLength={8} autoFocus />
          </div>
        </DialogForm>
      )}
    </Dialog>
  );
}

/** Drawn here: the secret goes to nobody. White with a margin, whatever the theme, or no phone reads it. */
function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const { data, size } = encode(text, { border: 3 });
  const squares = data.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : [])));
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={squares.join("")} fill="#000" />
    </svg>
  );
}

function FactorOffDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const off = useAction((code: string) => client.account.removeSecondFactor({ code }), [["people"]]);
  return (
    <Dialog title={t("factor.off")} onClose={onClose}>
      <DialogForm
        action={off}
        deed={t("factor.off")}
        onClose={onClose}
        onSubmit={(form) => {
          off.mutate(String(form.get("code") ?? "").trim(), { onSuccess: onClose });
        }}
      >
        <div className="field">
          <label htmlFor="factor-off-code">{t("factor.codeOrRecovery")}</label>
          <input id="factor-off-code" name="code" className="input" required minLength={6} maxLength={32} autoFocus autoComplete="one-time-code" />
        </div>
      </DialogForm>
    </Dialog>
  );
}
