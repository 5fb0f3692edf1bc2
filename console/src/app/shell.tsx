/** @file The frame around every screen: places, what is in the place, account; a drawer and a bar at the bottom on a phone. */

import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { basesQuery } from "../api/queries.ts";
import { stopViewAs, viewedPerson } from "../api/view-as.ts";
import { ChatList } from "../features/chat/chat-list.tsx";
import { Button, type Icon, IconButton } from "../ui/basics.tsx";
import { BaseIcon, BoxIcon, ChatIcon, CloseIcon, KnowledgeIcon, MenuIcon, PlusIcon, SearchIcon, ViewIcon } from "../ui/icons.ts";
import { AccountMenu } from "./account-menu.tsx";
import { JobAnnouncer } from "./job-announcer.tsx";
import { openPalette, Palette } from "./palette.tsx";

export function Shell() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const [drawer, setDrawer] = useState(false);
  useEffect(() => setDrawer(false), [pathname]);
  useEffect(() => {
    if (!drawer) return;
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && setDrawer(false);
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [drawer]);
  const place = pathname.startsWith("/knowledge") || pathname.startsWith("/documents") ? "knowledge" : pathname.startsWith("/box") ? "box" : "chat";

  return (
    <div className="shell" data-drawer={drawer || undefined}>
      <a className="skip" href="#main">
        {t("shell.skip")}
      </a>
      <header className="topbar">
        <IconButton label={t("shell.menu")} icon={MenuIcon} small={false} onClick={() => setDrawer(true)} />
        <Brand />
        <IconButton label={t("palette.open")} icon={SearchIcon} small={false} onClick={openPalette} />
      </header>
      {drawer ? <button type="button" className="scrim" aria-label={t("common.close")} onClick={() => setDrawer(false)} /> : null}
      <aside className="side" aria-label={t("shell.side")}>
        <div className="row side-head">
          <Brand />
          <IconButton label={`${t("palette.open")} (Ctrl K)`} icon={SearchIcon} className="end desk" onClick={openPalette} />
          <IconButton label={t("common.close")} icon={CloseIcon} className="end phone" onClick={() => setDrawer(false)} />
        </div>
        <nav className="places" aria-label={t("shell.places")}>
          <PlaceLinks place={place} />
        </nav>
        <div className="side-list">{place === "knowledge" ? <BaseLinks /> : <ChatList />}</div>
        <AccountMenu />
      </aside>
      <main id="main" className="main" tabIndex={-1}>
        <ViewedBanner />
        <Outlet />
      </main>
      <nav className="bottombar" aria-label={t("shell.places")}>
        <PlaceLinks place={place} />
      </nav>
      <Palette />
      <JobAnnouncer />
    </div>
  );
}

/** Never out of sight while one looks through somebody else's eyes. */
function ViewedBanner() {
  const { t } = useTranslation();
  const person = viewedPerson();
  if (person === null) return null;
  return (
    <div className="viewed row" role="status">
      <ViewIcon size={15} aria-hidden />
      <span className="grow">{t("viewAs.now", { name: person.name })}</span>
      <Button small onClick={stopViewAs}>
        {t("viewAs.stop")}
      </Button>
    </div>
  );
}

function Brand() {
  const { t } = useTranslation();
  return (
    <Link to="/chat" className="brand" aria-label={t("shell.home")}>
      <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="var(--accent)" />
        <path d="M16 5.500l2.700 7.800 7.800 2.700-7.800 2.700L16 26.500l-2.700-7.800L5.500 16l7.800-2.700z" fill="var(--accent-text)" />
      </svg>
      <span>{t("shell.brand")}</span>
    </Link>
  );
}

function PlaceLinks({ place }: { readonly place: "chat" | "knowledge" | "box" }) {
  const { t } = useTranslation();
  return (
    <>
      <PlaceLink to="/chat" here={place === "chat"} icon={ChatIcon}>
        {t("place.chat")}
      </PlaceLink>
      <PlaceLink to="/knowledge" here={place === "knowledge"} icon={KnowledgeIcon}>
        {t("place.knowledge")}
      </PlaceLink>
      <PlaceLink to="/box" here={place === "box"} icon={BoxIcon}>
        {t("place.box")}
      </PlaceLink>
    </>
  );
}

function PlaceLink({
  to,
  here,
  icon: Mark,
  children,
}: {
  readonly to: "/chat" | "/knowledge" | "/box";
  readonly here: boolean;
  readonly icon: Icon;
  readonly children: ReactNode;
}) {
  return (
    <Link to={to} className="place" data-here={here || undefined} aria-current={here ? "page" : undefined}>
      <Mark size={16} aria-hidden />
      {children}
    </Link>
  );
}

function BaseLinks() {
  const { t } = useTranslation();
  const { data: bases = [] } = useQuery(basesQuery());
  return (
    <section aria-label={t("kb.bases")}>
      <div className="row side-title">
        <h2>{t("kb.bases")}</h2>
        <Link to="/knowledge" className="button quiet icon small end" aria-label={t("kb.new")} title={t("kb.new")}>
          <PlusIcon size={15} aria-hidden />
        </Link>
      </div>
      <ul>
        {bases.map((base) => (
          <li key={base.id}>
            <Link to="/knowledge/$kbId" params={{ kbId: base.id }} className="side-link" activeProps={{ "data-here": true }}>
              <BaseIcon size={14} aria-hidden />
              <span className="clip">{base.name}</span>
              <span className="end muted tiny num">{base.documents}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
