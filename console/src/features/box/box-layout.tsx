/** @file The frame of Box: health in one line, and its tabs. */
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { doctorQuery, isAdministrator, readyQuery, sessionQuery, systemQuery } from "../../api/queries.ts";
import { Badge, type Icon, type Tone } from "../../ui/basics.tsx";
import { AlertIcon, BusyIcon, OkIcon, WarnIcon } from "../../ui/icons.ts";

export function BoxLayout() {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery());
  const manages = isAdministrator(session);
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t("place.box")}</h1>
        <span className="base-state">{manages ? <Health /> : null}</span>
      </header>
      <nav className="tabs" aria-label={t("place.box")}>
        {manages ? (
          <Link to="/box" activeOptions={{ exact: true }}>
            {t("box.health")}
          </Link>
        ) : null}
        <Link to="/box/models">{t("box.models")}</Link>
        <Link to="/box/jobs">{t("box.jobs")}</Link>
        {manages ? (
          <>
            <Link to="/box/backups">{t("box.backups")}</Link>
            <Link to="/box/pages">{t("box.pages")}</Link>
            <Link to="/box/people">{t("box.people")}</Link>
            <Link to="/box/teams">{t("box.teams")}</Link>
          </>
        ) : null}
        {manages || session?.actor?.role === "knowledge-owner" ? <Link to="/box/permissions">{t("box.permissions")}</Link> : null}
        <Link to="/box/keys">{t("box.keys")}</Link>
        <Link to="/box/usage">{t("box.usage")}</Link>
        {manages ? (
          <>
            <Link to="/box/audit">{t("box.audit")}</Link>
            <Link to="/box/privacy">{t("box.privacy")}</Link>
          </>
        ) : null}
        <Link to="/box/account">{t("box.account")}</Link>
      </nav>
      <Outlet />
    </div>
  );
}

/** The most important thing first: cannot be reached, disk, models, checks, all well. */
function Health() {
  const { t } = useTranslation();
  const ready = useQuery(readyQuery());
  const system = useQuery(systemQuery());
  const doctor = useQuery(doctorQuery());
  const [tone, icon, text]: readonly [Tone, Icon, string] = (() => {
    if (system.isError || ready.isError) return ["bad", AlertIcon, t("health.unreachable")];
    if (ready.data === undefined || system.data === undefined) return ["plain", BusyIcon, t("common.loading")];
    const { disk, jobs } = system.data;
    if (disk.totalBytes > 0 && disk.freeBytes < 2 ** 31) return ["warn", WarnIcon, t("health.disk")];
    if (!ready.data.ready) return ["accent", BusyIcon, t("health.arriving")];
    const bad = doctor.data?.filter((check) => !check.ok).length ?? 0;
    if (bad > 0) return ["warn", WarnIcon, t("health.checks", { count: bad })];
    return ["ok", OkIcon, jobs.running + jobs.queued > 0 ? t("health.wellBusy", { count: jobs.running + jobs.queued }) : t("health.well")];
  })();
  return (
    <span role="status">
      <Badge tone={tone} icon={icon} spin={icon === BusyIcon}>
        {text}
      </Badge>
    </span>
  );
}
