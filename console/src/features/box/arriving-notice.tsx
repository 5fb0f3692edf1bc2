/** @file While models are still on their way: what is coming, when, and what works already. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { modelsQuery, readyQuery } from "../../api/queries.ts";
import { Notice, Progress } from "../../ui/basics.tsx";
import { useFormat } from "../../ui/format.ts";
import { DownloadIcon, NextIcon } from "../../ui/icons.ts";

export function ArrivingNotice() {
  const { t } = useTranslation();
  const { bytes, eta } = useFormat();
  const { data: ready } = useQuery(readyQuery());
  const { data: models = [] } = useQuery(modelsQuery());
  const missing = ready?.missing.filter((item) => item.what !== "database") ?? [];
  if (missing.length === 0) return null;
  const pulling = models.filter((model) => model.state === "pulling");
  const what = missing.map((item) => (item.what === "embedder" ? t("arriving.embedder") : t("arriving.language")));
  return (
    <div className="arriving">
      <Notice
        tone="accent"
        icon={DownloadIcon}
        action={
          <Link to="/box/models" className="row small nowrap" style={{ gap: 2 }}>
            {t("box.models")}
            <NextIcon size={14} aria-hidden />
          </Link>
        }
      >
        <p>
          <strong>{pulling.length > 0 ? t("arriving.title") : t("arriving.missing", { what: what.join(t("common.and")) })}</strong>
        </p>
        <p className="soft">{t("arriving.meanwhile")}</p>
        {pulling.map((model) => (
          <div key={model.id} className="col" style={{ gap: 4, marginTop: 8 }}>
            <p className="row tiny">
              <span className="clip">{model.id}</span>
              <span className="end muted num nowrap">
                {bytes(model.progress?.receivedBytes ?? 0)}
                {model.progress?.totalBytes ? ` / ${bytes(model.progress.totalBytes)}` : ""} · {eta(model.progress?.etaSeconds)}
              </span>
            </p>
            <Progress label={model.id} value={model.progress?.totalBytes ? model.progress.receivedBytes / model.progress.totalBytes : null} />
          </div>
        ))}
      </Notice>
    </div>
  );
}
