/** @file Says once, quietly, when long work ends; several ends at a time are one message. Shows nothing itself. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { jobsQuery } from "../api/queries.ts";
import { showToast } from "../ui/toasts.tsx";

export function JobAnnouncer() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { data: jobs } = useQuery({ ...jobsQuery(), retry: false });
  const running = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (jobs === undefined) return;
    const before = running.current;
    running.current = new Set(jobs.filter((job) => job.state === "running" || job.state === "queued").map((job) => job.id));
    if (before === null) return;
    const ended = jobs.filter((job) => before.has(job.id) && (job.state === "done" || job.state === "failed"));
    if (ended.length === 0) return;
    for (const key of ["bases", "documents", "models", "ready"]) void queries.invalidateQueries({ queryKey: [key] });
    // While other files are still being read there is nothing to announce yet; the tables show it.
    if (running.current.size > 0) return;
    const failed = ended.filter((job) => job.state === "failed").length;
    showToast(failed > 0 ? t("jobs.endedFailed", { count: failed }) : t("jobs.ended"));
  }, [jobs, queries, t]);
  return null;
}
