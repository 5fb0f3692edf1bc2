/** @file Signing in; afterwards the page that was asked for. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Navigate, useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { ClientError } from "#client";
import { client } from "../../api/client.ts";
import { sessionQuery, useAction, waysQuery } from "../../api/queries.ts";
import { Button, Notice } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { Field, Gate } from "./gate.tsx";

export function SignInPage() {
  const { t } = useTranslation();
  const router = useRouter();
  const queries = useQueryClient();
  const { data: session } = useQuery(sessionQuery());
  const { data: ways } = useQuery(waysQuery());
  const { next, failed } = useSearch({ from: "/signin" });
  // Only a path of this box: "//elsewhere" would lead away.
  const target = next !== undefined && /^\/(?![/\\])/.test(next) ? next : "/chat";
  const signIn = useAction(client.account.signIn, []);
  const needsCode = signIn.error instanceof ClientError && signIn.error.code === "second_factor_required";
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    if (needsCode) setAsked(true);
  }, [needsCode]);
  const submit = (form: FormData) =>
    signIn.mutate(
      {
        email: String(form.get("email") ?? "").trim(),
        password: String(form.get("password") ?? ""),
        ...(form.get("code") === null ? {} : { code: String(form.get("code")).trim() }),
      },
      {
        onSuccess: async () => {
          await queries.fetchQuery({ ...sessionQuery(), staleTime: 0 });
          router.history.push(target);
        },
      },
    );
  if (session?.setupRequired === true && session.actor === null) return <Navigate to="/setup" />;
  return (
    <Gate title={t("signin.title")} lead={t("signin.lead")} onSubmit={submit}>
      {failed === undefined ? null : <Notice tone="bad">{t("signin.oidcFailed")}</Notice>}
      <Field
        name="email"
        type={ways?.ldap === true ? "text" : "email"}
        label={t(ways?.ldap === true ? "signin.login" : "account.email")}
        autoComplete="username"
        autoFocus
      />
      <Field name="password" type="password" label={t("account.password")} autoComplete="current-password" />
      {asked ? <Field name="code" label={t("factor.codeOrRecovery")} autoComplete="one-time-code" autoFocus maxLength={32} /> : null}
      {signIn.isError && !(asked && needsCode) ? <ErrorCard error={signIn.error} /> : null}
      <Button look="primary" type="submit" busy={signIn.isPending}>
        {t("signin.go")}
      </Button>
      {ways?.oidc == null ? null : (
        <a className="button" href="/api/auth/oidc/start">
          {t("signin.oidc", { name: ways.oidc })}
        </a>
      )}
    </Gate>
  );
}
