/** @file Nights: backups with their schedule and rehearsal, what the disk holds, which copies upgrades left. Restoring is done on the machine itself. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { BackupInfo, BackupSchedule, BackupState, StorageReport, UpdateState } from "#contracts";
import { client } from "../../api/client.ts";
import { backupStateQuery, backupsQuery, storageQuery, updatesQuery, useAction } from "../../api/queries.ts";
import { Badge, Button, Empty, IconButton, Notice, Progress, Switch } from "../../ui/basics.tsx";
import { useErrorWords } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { DatabaseIcon, OkIcon, RetryIcon, WarnIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { RemoveButton } from "../../ui/remove-button.tsx";
import { showToast } from "../../ui/toasts.tsx";
import { useRemoving } from "../../ui/undo.ts";

export function BackupsTab() {
  const { t } = useTranslation();
  const state = useQuery(backupStateQuery());
  const storage = useQuery(storageQuery());
  const updates = useQuery(updatesQuery());
  return (
    <div className="page-body" tabIndex={0} role="region" aria-label={t("box.backups")}>
      <QueryState query={state} />
      {state.data ? <Schedule state={state.data} /> : null}
      {state.data ? <Backups running={state.data.running} /> : null}
      <div className="two">
        {storage.data ? <Storage storage={storage.data} /> : null}
        {updates.data ? <Updates updates={updates.data} /> : null}
      </div>
    </div>
  );
}

function Schedule({ state }: { readonly state: BackupState }) {
  const { t } = useTranslation();
  const { ago } = useFormat();
  const words = useErrorWords();
  const { schedule, last, rehearsal } = state;
  const change = useAction((patch: Partial<BackupSchedule>) => client.operations.writeSchedule(patch), [["backups"]]);
  const write = (patch: Partial<BackupSchedule>) => change.mutate(patch, { onError: (error) => showToast(words(error).message) });
  const count = (key: "keepDaily" | "keepWeekly" | "keepMonthly") => (
    <label className="field">
      <span className="label">{t(`backups.${key}`)}</span>
      <input
        key={schedule[key]}
        className="input"
        type="number"
        min={0}
        max={1000}
        defaultValue={schedule[key]}
        onBlur={(event) => event.target.value !== String(schedule[key]) && write({ [key]: Number(event.target.value) })}
      />
    </label>
  );
  return (
    <section className="card section">
      <div className="row wrap">
        <h2>{t("backups.nightly")}</h2>
        <span className="end">
          <Switch checked={schedule.enabled} onChange={(enabled) => write({ enabled })}>
            {t("backups.everyNight")}
          </Switch>
        </span>
      </div>
      <div className="row wrap">
        <label className="field">
          <span className="label">{t("backups.at")}</span>
          <input
            key={schedule.at}
            className="input"
            type="time"
            defaultValue={schedule.at}
            onBlur={(event) => event.target.value !== "" && event.target.value !== schedule.at && write({ at: event.target.value })}
          />
        </label>
        {count("keepDaily")}
        {count("keepWeekly")}
        {count("keepMonthly")}
        <Switch checked={schedule.rehearse} onChange={(rehearse) => write({ rehearse })}>
          {t("backups.rehearseEach")}
        </Switch>
      </div>
      <p className="muted small">
        {t("backups.folder")} <span className="mono">{state.folder}</span> · {t(state.encrypted ? "backups.encrypted" : "backups.open")}
      </p>
      {state.sameDisk ? <Notice tone="warn">{t("backups.sameDisk")}</Notice> : null}
      {last?.error ? <Notice tone="bad">{t("backups.lastFailed", { time: ago(last.at), reason: last.error })}</Notice> : null}
      {rehearsal === null ? null : (
        <p className="row wrap small">
          <Badge tone={rehearsal.ok ? "ok" : "bad"} icon={rehearsal.ok ? OkIcon : WarnIcon}>
            {t(rehearsal.ok ? "backups.rehearsed" : "backups.rehearsalFailed", { time: ago(rehearsal.at) })}
          </Badge>
          {rehearsal.checks.map((check) => (
            <Badge key={check.name} icon={check.ok ? OkIcon : WarnIcon} tone={check.ok ? "plain" : "bad"}>
              {t(`backups.check.${check.name as "files"}`)}
              {check.ok ? "" : ` ${check.found}`}
            </Badge>
          ))}
        </p>
      )}
    </section>
  );
}

function Backups({ running }: { readonly running: boolean }) {
  const { t } = useTranslation();
  const words = useErrorWords();
  const backups = useQuery(backupsQuery());
  const removing = useRemoving();
  const make = useAction(() => client.operations.backup(), [["backups"]]);
  const shown = backups.data?.filter((backup) => !removing.has(backup.id)) ?? [];
  return (
    <section className="col" style={{ gap: 8 }}>
      <div className="row">
        <h2 className="label">{t("backups.title")}</h2>
        <Button
          small
          className="end"
          busy={make.isPending || running}
          onClick={() =>
            make.mutate(undefined, { onSuccess: () => showToast(t("backups.made")), onError: (error) => showToast(words(error).message) })
          }
        >
          {t("backups.now")}
        </Button>
      </div>
      <QueryState query={backups} rows={2} />
      {backups.isSuccess && shown.length === 0 ? (
        <Empty icon={DatabaseIcon} title={t("backups.none")}>
          {t("backups.noneHint")}
        </Empty>
      ) : null}
      {shown.length > 0 ? (
        <ul className="card lines" aria-label={t("backups.title")}>
          {shown.map((backup) => (
            <BackupRow key={backup.id} backup={backup} />
          ))}
        </ul>
      ) : null}
      <p className="muted small">
        {t("backups.restoreHint")} <span className="mono">starbox restore</span>
      </p>
    </section>
  );
}

function BackupRow({ backup }: { readonly backup: BackupInfo }) {
  const { t } = useTranslation();
  const { bytes, ago, duration } = useFormat();
  const words = useErrorWords();
  const rehearse = useAction(() => client.operations.rehearse(backup.id), [["backups"]]);
  const remove = useAction(() => client.operations.removeBackup(backup.id), [["backups"], ["storage"]]);
  const failed = (error: unknown) => showToast(words(error).message);
  return (
    <li className="model row wrap">
      <strong className="num">{new Date(backup.at).toLocaleString()}</strong>
      <span className="muted small">{ago(backup.at)}</span>
      <span className="small num">{t("backups.size", { size: bytes(backup.sizeBytes), added: bytes(backup.storedBytes) })}</span>
      <span className="muted tiny">{`Starbox ${backup.version} · ${duration(backup.seconds)}`}</span>
      <span className="row end">
        <IconButton
          label={t("backups.rehearse", { id: backup.id })}
          icon={RetryIcon}
          disabled={rehearse.isPending}
          onClick={() =>
            rehearse.mutate(undefined, {
              onSuccess: (report) => showToast(t(report.ok ? "backups.canRestore" : "backups.cannotRestore")),
              onError: failed,
            })
          }
        />
        <RemoveButton id={backup.id} label={t("backups.remove", { id: backup.id })} removed={t("backups.removed")} action={remove} />
      </span>
    </li>
  );
}

const knownParts = ["database", "blobs", "models", "backups", "kept", "logs", "tmp"] as const;
type PartName = (typeof knownParts)[number] | "other";

/** What people know by name; keys, locks and the like together. */
function shownParts(storage: StorageReport): readonly { readonly name: PartName; readonly bytes: number }[] {
  const named = knownParts.map((name) => ({ name: name as PartName, bytes: storage.parts.find((part) => part.name === name)?.bytes ?? 0 }));
  const all = storage.parts.reduce((sum, part) => sum + part.bytes, 0);
  const other = all - named.reduce((sum, part) => sum + part.bytes, 0);
  return [...named.sort((a, b) => b.bytes - a.bytes), { name: "other" as const, bytes: other }].filter((part) => part.bytes > 0);
}

function Storage({ storage }: { readonly storage: StorageReport }) {
  const { t } = useTranslation();
  const { bytes } = useFormat();
  const { level } = storage;
  return (
    <section className="card section">
      <h2>{t("box.disk")}</h2>
      <p className="row">
        <Badge tone={level === "ok" ? "ok" : level === "low" ? "warn" : "bad"} icon={level === "ok" ? OkIcon : WarnIcon}>
          {t(`backups.disk.${level}`)}
        </Badge>
        <span className="small num">
          {bytes(storage.freeBytes)} / {bytes(storage.totalBytes)}
        </span>
      </p>
      <Progress label={t("box.disk")} value={1 - storage.freeBytes / Math.max(1, storage.totalBytes)} />
      <p className="muted tiny">{t("backups.limits", { warn: bytes(storage.warnBelowBytes), refuse: bytes(storage.refuseBelowBytes) })}</p>
      <table className="plain">
        <tbody>
          {shownParts(storage).map((part) => (
            <tr key={part.name}>
              <td>{t(`backups.part.${part.name}`)}</td>
              <td className="num-cell num">{bytes(part.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Updates({ updates }: { readonly updates: UpdateState }) {
  const { t } = useTranslation();
  const { bytes } = useFormat();
  return (
    <section className="card section">
      <h2>{t("backups.updates")}</h2>
      <p className="small">{`Starbox ${updates.version}${updates.commit === null ? "" : ` (${updates.commit})`} · ${t("backups.schema", { number: updates.schema })}`}</p>
      <p className="muted small">
        {t("backups.upgradeHint")} <span className="mono">starbox upgrade FILE</span>
      </p>
      {updates.kept.length === 0 ? <p className="muted small">{t("backups.noCopies")}</p> : null}
      <ul className="lines">
        {updates.kept.map((copy) => (
          <li key={copy.file} className="row small">
            <span className="num">{new Date(copy.at).toLocaleString()}</span>
            <span className="muted">{t("backups.schema", { number: copy.schema })}</span>
            <span className="num end">{bytes(copy.sizeBytes)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
