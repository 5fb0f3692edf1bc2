/** @file What stands in a list's place while it is fetched or when it could not be. */
import { useTranslation } from "react-i18next";
import { Skeletons } from "./basics.tsx";
import { ErrorCard } from "./error-card.tsx";

type Query = { readonly isPending: boolean; readonly isError: boolean; readonly error: unknown; refetch(): Promise<unknown> };

export function QueryState({ query, rows }: { readonly query: Query; readonly rows?: number }) {
  const { t } = useTranslation();
  if (query.isPending) return <Skeletons label={t("common.loading")} {...(rows === undefined ? {} : { rows })} />;
  return query.isError ? <ErrorCard error={query.error} onRetry={() => void query.refetch()} /> : null;
}
