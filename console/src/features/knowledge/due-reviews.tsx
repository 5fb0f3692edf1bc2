/** @file The reminder: documents that somebody should look at again. Nothing when none is due. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { reviewsQuery } from "../../api/queries.ts";
import { Notice } from "../../ui/basics.tsx";
import { ReviewIcon } from "../../ui/icons.ts";

export function DueReviews() {
  const { t } = useTranslation();
  const { data: due = [] } = useQuery(reviewsQuery());
  if (due.length === 0) return null;
  return (
    <Notice tone="warn" icon={ReviewIcon}>
      <p>
        <strong>{t("care.dueCount", { count: due.length })}</strong>
      </p>
      <ul className="small">
        {due.slice(0, 5).map((item) => (
          <li key={item.documentId}>
            <Link to="/documents/$documentId" params={{ documentId: item.documentId }}>
              {item.title}
            </Link>{" "}
            <span className="muted">{[item.base, item.reviewAt, item.owner?.name].filter(Boolean).join(" · ")}</span>
          </li>
        ))}
      </ul>
    </Notice>
  );
}
