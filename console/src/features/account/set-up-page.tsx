/** @file The box's first minute: its code, and the first administrator. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Navigate, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { sessionQuery, useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { Field, Gate } from "./gate.tsx";

export function SetUpPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { data: session } = useQuery(sessionQuery());
  // The terminal prints the address with the code behind the #, which never leaves the browser.
  const [code] = useState(() => new URLSearchParams(location.hash.slice(1)).get("code") ?? "");
  const setUp = useAction(client.account.setUp, []);
  const submit = (form: FormData) => {
    const text = (name: string): string => String(form.get(name) ?? "").trim();
    setUp.mutate(
      { code: text("code"), name: text("name"), email: text("email"), password: String(form.get("password") ?? "") },
      {
        onSuccess: async () => {
          await queries.fetchQuery({ ...sessionQuery(), staleTime: 0 });
          await navigate({ to: "/chat" });
        },
      },
    );
  };
  if (session !== undefined && !session.setupRequired && !setUp.isPending && !setUp.isSuccess) return <Navigate to="/chat" />;
  return (
    <Gate title={t("setup.title")} lead={t("setup.lead")} onSubmit={submit}>
      <Field
        name="code"
        label={t("setup.code")}
        hint={t("setup.codeHint")}
        defaultValue={code}
        autoFocus={code === ""}
        autoComplete="one-time-code"
        spellCheck={false}
      />
      <Field name="name" label={t("account.name")} autoComplete="name" autoFocus={code !== ""} />
      <Field name="email" type="email" label={t("account.email")} autoComplete="username" />
      <Field
        name="password"
        type="password"
        label={t("account.password")}
        hint={t("account.passwordHint")}
        minLength={8}
        autoComplete="new-password"
      />
      {setUp.isError ? <ErrorCard error={setUp.error} /> : null}
      <Button look="primary" type="submit" busy={setUp.isPending}>
        {t("setup.start")}
      </Button>
    </Gate>
  );
}
