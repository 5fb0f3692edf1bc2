/** @file Whether a text is the one in force or an earlier edition: said by a word, not only a colour. */
import { useTranslation } from "react-i18next";
import type { Edition } from "#contracts";

export function EditionTag({ edition }: { readonly edition: Edition | null }) {
  const { t } = useTranslation();
  if (edition === null) return null;
  if (edition.state === "superseded")
    return <span className="tag warn">{edition.date === null ? t("edition.superseded") : t("edition.supersededDated", { date: edition.date })}</span>;
  return edition.date === null ? null : <span className="tag">{t("edition.inForce", { date: edition.date })}</span>;
}
