/** @file An invitation's link: name and password, then in. The secret is behind the #, which never leaves the browser by itself. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { sessionQuery, useAction } from "../../api/queries.ts";
import { Button, Skeletons } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { Field, Gate } from "./gate.tsx";

export function InvitationPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [token] = useState(() => location.hash.slice(1));
  const invitation = useQuery({
    queryKey: ["invitation", token],
    queryFn: () => client.account.readInvitation(token),
    retry: false,
    staleTime: Infinity,
  });
  const accept = useAction(client.account.acceptInvitation, []);
  const submit = (form: FormData) =>
    accept.mutate(
      { token, name: String(form.get("name") ?? "").trim(), password: String(form.get("password") ?? "") },
      {
        onSuccess: async () => {
          queries.clear();
          await queries.fetchQuery({ ...sessionQuery(), staleTime: 0 });
          await navigate({ to: "/chat" });
        },
      },
    );
  return (
    <Gate
      title={t("invitation.title")}
      lead={invitation.data === undefined ? "" : t("invitation.lead", { email: invitation.data.email })}
      onSubmit={submit}
    >
      {invitation.isPending ? <Skeletons rows={2} label={t("common.loading")} /> : null}
      {invitation.isError ? <ErrorCard error={invitation.error} /> : null}
      {invitation.data === undefined ? null : (
        <>
          <Field name="name" label={t("account.name")} autoComplete="name" autoFocus />
          <input type="hidden" name="username" autoComplete="username" value={invitation.data.email} readOnly />
          <Field
            name="password"
            type="password"
            label={t("account.password")}
            hint={t("account.passwordHint")}
            minLength={8}
            autoComplete="new-password"
          />
          {accept.isError ? <ErrorCard error={accept.error} /> : null}
          <Button look="primary" type="submit" busy={accept.isPending}>
            {t("invitation.go")}
          </Button>
        </>
      )}
    </Gate>
  );
}
