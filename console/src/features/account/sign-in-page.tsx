/** @file Signing in; afterwards the page that was asked for. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Navigate, useRouter, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { sessionQuery, useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { Field, Gate } from "./gate.tsx";

export function SignInPage() {
  const { t } = useTranslation();
  const router = useRouter();
  const queries = useQueryClient();
  const { data: session } = useQuery(sessionQuery());
  const { next } = useSearch({ from: "/signin" });
  // Only a path of this box: "//elsewhere" would lead away.
  const target = next !== undefined && /^\/(?![/\\])/.test(next) ? next : "/chat";
  const signIn = useAction(client.account.signIn, []);
  const submit = (form: FormData) =>
    signIn.mutate(
      { email: String(form.get("email") ?? "").trim(), password: String(form.get("password") ?? "") },
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
      <Field name="email" type="email" label={t("account.email")} autoComplete="username" autoFocus />
      <Field name="password" type="password" label={t("account.password")} autoComplete="current-password" />
      {signIn.isError ? <ErrorCard error={signIn.error} /> : null}
      <Button look="primary" type="submit" busy={signIn.isPending}>
        {t("signin.go")}
      </Button>
    </Gate>
  );
}
