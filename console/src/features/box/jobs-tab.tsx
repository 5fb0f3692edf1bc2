/** @file Long work: what is running, how far, what failed and why; cancel and retry. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { JobInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { basesQuery, jobsQuery, useAction } from "../../api/queries.ts";
import { Badge, Button, Empty, Progress } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { useFormat } from "../../ui/format.ts";
import { BusyIcon, CancelIcon, FailedIcon, HealthIcon, OkIcon, RetryIcon, StopIcon, WaitingIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";

export function JobsTab() {
  const { t } = useTranslation();
  const jobs = useQuery(jobsQuery());
  const list = jobs.data ?? [];
  const open = list.filter((job) => job.state === "running" || job.state === "queued");
  const ended = list.filter((job) => job.state !== "running" && job.state !== "queued");
  return (
    <div className="page-body" tabIndex={0} role="region" aria-label={t("box.jobs")}>
      <QueryState query={jobs} />
      {jobs.isSuccess && list.length === 0 ? (
        <Empty icon={HealthIcon} title={t("jobs.emptyTitle")}>
          {t("jobs.emptyHint")}
        </Empty>
      ) : null}
      {open.length > 0 ? <JobList title={t("jobs.open")} jobs={open} /> : null}
      {ended.length > 0 ? <JobList title={t("jobs.past")} jobs={ended} /> : null}
    </div>
  );
}

function JobList({ title, jobs }: { readonly title: string; readonly jobs: readonly JobInfo[] }) {
  return (
    <section className="col" style={{ gap: 8 }}>
      <h2 className="label">{title}</h2>
      <ul className="card lines">
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </ul>
    </section>
  );
}

function JobState({ job }: { readonly job: JobInfo }) {
  const { t } = useTranslation();
  switch (job.state) {
    case "queued":
      return <Badge icon={WaitingIcon}>{t("jobs.queued")}</Badge>;
    case "running":
      return (
        <Badge tone="accent" icon={BusyIcon} spin>
          {t("jobs.running")}
        </Badge>
      );
    case "done":
      return (
        <Badge tone="ok" icon={OkIcon}>
          {t("jobs.done")}
        </Badge>
      );
    case "failed":
      return (
        <Badge tone="bad" icon={FailedIcon}>
          {t("jobs.failed")}
        </Badge>
      );
    case "cancelled":
      return <Badge icon={StopIcon}>{t("jobs.cancelled")}</Badge>;
  }
}

function JobRow({ job }: { readonly job: JobInfo }) {
  const { t } = useTranslation();
  const { number, bytes, eta, ago } = useFormat();
  const { data: bases } = useQuery(basesQuery());
  const cancel = useAction(() => client.system.cancelJob(job.id), [["jobs"], ["system"]]);
  const retry = useAction(() => client.system.retryJob(job.id), [["jobs"], ["system"]]);
  const { done, total, unit, etaSeconds } = job.progress;
  const amount = (value: number): string => (unit === "bytes" ? bytes(value) : number(value));
  const base = bases?.find((item) => item.id === job.kbId)?.name;
  const open = job.state === "running" || job.state === "queued";
  return (
    <li className="model">
      <div className="row wrap">
        <span className="tag">{t(`jobs.kind.${job.kind}`)}</span>
        <strong className="clip">{job.subject}</strong>
        {base === undefined ? null : <span className="muted tiny">{base}</span>}
        <JobState job={job} />
        <span className="row end">
          <span className="muted tiny nowrap">{ago(job.updatedAt)}</span>
          {open ? (
            <Button small look="quiet" icon={CancelIcon} busy={cancel.isPending} onClick={() => cancel.mutate(undefined)}>
              {t("common.cancel")}
            </Button>
          ) : null}
          {job.state === "failed" || job.state === "cancelled" ? (
            <Button small look="quiet" icon={RetryIcon} busy={retry.isPending} onClick={() => retry.mutate(undefined)}>
              {t("common.retry")}
            </Button>
          ) : null}
        </span>
      </div>
      {job.state === "running" ? (
        <>
          <Progress label={job.subject} value={total === null || total === 0 ? null : done / total} />
          <p className="muted tiny num">
            {amount(done)}
            {total === null ? "" : ` / ${amount(total)}`} · {eta(etaSeconds)}
          </p>
        </>
      ) : null}
      {job.error === null ? null : <ErrorCard error={job.error} />}
      {(cancel.error ?? retry.error) === null ? null : <ErrorCard error={cancel.error ?? retry.error} />}
    </li>
  );
}
