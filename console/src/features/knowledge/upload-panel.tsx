/** @file What is being sent, how far, and what the box refused with its reason. */
import { useTranslation } from "react-i18next";
import { Badge, Button, IconButton, Progress } from "../../ui/basics.tsx";
import { useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { CloseIcon, FailedIcon, OkIcon, RetryIcon, UploadIcon } from "../../ui/icons.ts";
import { cancelUploads, clearUploads, retryUpload, useUploads } from "./upload-queue.ts";

export function UploadPanel({ kbId }: { readonly kbId: string }) {
  const { t } = useTranslation();
  const { bytes } = useFormat();
  const words = useErrorWords();
  const uploads = useUploads(kbId);
  if (uploads.length === 0) return null;
  const ended = uploads.filter((upload) => upload.state !== "waiting" && upload.state !== "sending");
  const failed = uploads.filter((upload) => upload.state === "failed");
  const unchanged = uploads.filter((upload) => upload.state === "unchanged").length;
  const busy = ended.length < uploads.length;
  const total = uploads.reduce((sum, upload) => sum + upload.file.size, 0);
  const sent = uploads.reduce(
    (sum, upload) => sum + (upload.state === "sending" ? upload.sent : upload.state === "waiting" ? 0 : upload.file.size),
    0,
  );
  return (
    <section className="card uploads" aria-label={t("upload.title")}>
      <div className="row">
        <Badge tone={busy ? "accent" : failed.length > 0 ? "bad" : "ok"} icon={busy ? UploadIcon : failed.length > 0 ? FailedIcon : OkIcon}>
          <span role="status">
            {busy ? t("upload.sending", { done: ended.length, total: uploads.length }) : t("upload.done", { count: ended.length - failed.length })}
          </span>
        </Badge>
        {unchanged > 0 ? <span className="muted tiny">{t("upload.unchanged", { count: unchanged })}</span> : null}
        <span className="muted tiny num end">
          {bytes(sent)} / {bytes(total)}
        </span>
        {busy ? (
          <Button small look="quiet" onClick={() => cancelUploads(kbId)}>
            {t("common.cancel")}
          </Button>
        ) : (
          <IconButton label={t("upload.clear")} icon={CloseIcon} onClick={() => clearUploads(kbId)} />
        )}
      </div>
      {busy ? <Progress label={t("upload.title")} value={total === 0 ? null : sent / total} /> : null}
      {failed.length === 0 ? null : (
        <ul>
          {failed.slice(0, 20).map((upload) => {
            const error = words(upload.error);
            return (
              <li key={upload.id} className="row small">
                <span className="clip" title={upload.path}>
                  {upload.path}
                </span>
                <span className="soft grow clip" title={`${error.message} ${error.hint ?? ""}`}>
                  {error.message}
                </span>
                <span className="mono muted">{error.code}</span>
                <Button small look="quiet" icon={RetryIcon} onClick={() => retryUpload(upload.id)}>
                  {t("common.retry")}
                </Button>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
