/** @file What stands where a screen could not: no such address, or reading it failed. */
import { Link, useRouter } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Empty } from "../ui/basics.tsx";
import { ErrorCard } from "../ui/error-card.tsx";
import { SearchIcon } from "../ui/icons.ts";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <main className="page-center">
      <h1 className="sr">{t("shell.brand")}</h1>
      <Empty
        icon={SearchIcon}
        title={t("error.noPage")}
        actions={
          <Link className="button" to="/chat">
            {t("error.toChat")}
          </Link>
        }
      >
        {t("error.noPageHint")}
      </Empty>
    </main>
  );
}

export function RouteError({ error, reset }: { readonly error: unknown; readonly reset?: () => void }) {
  const router = useRouter();
  return (
    <main className="page-center">
      <div style={{ maxWidth: 560, padding: 24, width: "100%" }}>
        <ErrorCard error={error} onRetry={() => (reset?.(), void router.invalidate())} />
      </div>
    </main>
  );
}
