/** @file The machine and the box on it: memory, disk, queue, processes, and the doctor's checks. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Check, SystemInfo } from "#contracts";
import { doctorQuery, systemQuery } from "../../api/queries.ts";
import { Badge, Progress } from "../../ui/basics.tsx";
import { useFormat } from "../../ui/format.ts";
import { OkIcon, WarnIcon } from "../../ui/icons.ts";
import { QueryState } from "../../ui/query-state.tsx";
import { ArrivingNotice } from "./arriving-notice.tsx";

export function HealthTab() {
  const { t } = useTranslation();
  const system = useQuery(systemQuery());
  return (
    <div className="page-body" tabIndex={0} role="region" aria-label={t("box.health")}>
      <ArrivingNotice />
      <QueryState query={system} />
      {system.data ? <Figures system={system.data} /> : null}
      {system.data ? (
        <div className="two">
          <Processes system={system.data} />
          <Checks />
        </div>
      ) : null}
    </div>
  );
}

function Figures({ system }: { readonly system: SystemInfo }) {
  const { t } = useTranslation();
  const { bytes, number, duration } = useFormat();
  const used = system.machine.memoryBytes - system.machine.freeMemoryBytes;
  const resident = system.processes.reduce((sum, process) => sum + process.residentBytes, 0);
  const running = system.queue.reduce((sum, queue) => sum + queue.running, 0);
  const waiting = system.queue.reduce((sum, queue) => sum + queue.waiting, 0);
  return (
    <>
      <ul className="figures">
        <li className="card">
          <h2 className="label">{t("box.memory")}</h2>
          <p className="figure num">
            {bytes(used)}
            <small> / {bytes(system.machine.memoryBytes)}</small>
          </p>
          <Progress label={t("box.memory")} value={used / system.machine.memoryBytes} />
          <p className="muted tiny">{t("box.memoryOwn", { size: bytes(resident) })}</p>
        </li>
        <li className="card">
          <h2 className="label">{t("box.disk")}</h2>
          <p className="figure num">
            {bytes(system.disk.freeBytes)}
            <small> {t("box.free")}</small>
          </p>
          <Progress label={t("box.disk")} value={system.disk.totalBytes === 0 ? 0 : 1 - system.disk.freeBytes / system.disk.totalBytes} />
          <p className="muted tiny">{t("box.diskOwn", { size: bytes(system.disk.dataBytes) })}</p>
        </li>
        <li className="card">
          <h2 className="label">{t("box.queue")}</h2>
          <p className="figure num">
            {number(running)}
            <small> {t("box.running")}</small>
          </p>
          <p className="muted tiny">{t("box.waiting", { count: waiting })}</p>
        </li>
        <li className="card">
          <h2 className="label">{t("box.jobs")}</h2>
          <p className="figure num">
            {number(system.jobs.running + system.jobs.queued)}
            <small> {t("box.open")}</small>
          </p>
          <p className="muted tiny">{t("box.jobsFailed", { count: system.jobs.failed })}</p>
        </li>
      </ul>
      <p className="muted small">
        {[
          system.machine.cpu,
          t("box.cores", { count: system.machine.cores }),
          system.machine.gpu ?? t("box.noGpu"),
          system.machine.platform,
          `Starbox ${system.version}${system.commit === null ? "" : ` (${system.commit.slice(0, 8)})`}`,
          t("box.uptime", { time: duration(system.uptimeSeconds) }),
        ].join(" · ")}
      </p>
    </>
  );
}

function Processes({ system }: { readonly system: SystemInfo }) {
  const { t } = useTranslation();
  const { bytes } = useFormat();
  return (
    <section className="card section">
      <h2>{t("box.processes")}</h2>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{t("box.process")}</th>
            <th scope="col" className="num-cell">
              PID
            </th>
            <th scope="col" className="num-cell">
              {t("box.memory")}
            </th>
          </tr>
        </thead>
        <tbody>
          {system.processes.map((process) => (
            <tr key={process.pid}>
              <td>{process.name}</td>
              <td className="num-cell num">{process.pid}</td>
              <td className="num-cell num">{bytes(process.residentBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="muted tiny mono">{system.dataFolder}</p>
    </section>
  );
}

function Checks() {
  const { t, i18n } = useTranslation();
  const doctor = useQuery(doctorQuery());
  const words = (check: Check) => (i18n.language.startsWith("zh") ? check.zh : check);
  return (
    <section className="card section">
      <h2>{t("box.checks")}</h2>
      <QueryState query={doctor} rows={4} />
      <ul className="checks">
        {doctor.data?.map((check) => (
          <li key={check.name}>
            <span className="row">
              <Badge tone={check.ok ? "ok" : "warn"} icon={check.ok ? OkIcon : WarnIcon}>
                <span className="sr">{check.ok ? t("box.checkOk") : t("box.checkBad")}</span>
              </Badge>
              <span className="nowrap">{words(check).name}</span>
              <span className="muted small clip end" title={words(check).found}>
                {words(check).found}
              </span>
            </span>
            {check.ok || check.hint === "" ? null : <span className="soft small">{words(check).hint}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
