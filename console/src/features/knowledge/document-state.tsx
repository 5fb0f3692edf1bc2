/** @file A document's state by shape and word. */
import { useTranslation } from "react-i18next";
import type { DocumentInfo } from "#contracts";
import { Badge } from "../../ui/basics.tsx";
import { BusyIcon, FailedIcon, OcrIcon, OkIcon, WaitingIcon, WordsIcon } from "../../ui/icons.ts";

export function DocumentStateBadge({ document }: { readonly document: DocumentInfo }) {
  const { t } = useTranslation();
  switch (document.state) {
    case "waiting":
      return <Badge icon={WaitingIcon}>{t("state.waiting")}</Badge>;
    case "reading":
      return (
        <Badge tone="accent" icon={BusyIcon} spin>
          {t("state.reading")}
        </Badge>
      );
    case "words":
      return (
        <Badge tone="accent" icon={WordsIcon}>
          {document.chunks > 0 ? t("state.wordsShare", { percent: Math.floor((100 * document.embedded) / document.chunks) }) : t("state.words")}
        </Badge>
      );
    case "ready":
      return (
        <Badge tone="ok" icon={OkIcon}>
          {t("state.ready")}
        </Badge>
      );
    case "needs-ocr":
      return (
        <Badge tone="warn" icon={OcrIcon}>
          {t("state.needsOcr")}
        </Badge>
      );
    case "failed":
      return (
        <Badge tone="bad" icon={FailedIcon}>
          {t("state.failed")}
        </Badge>
      );
  }
}
