/** @file Every screen's address. Chat is in the first load; the other places come when opened. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { isAdministrator, sessionQuery } from "../api/queries.ts";
import { ChatPage } from "../features/chat/chat-page.tsx";
import { Toasts } from "../ui/toasts.tsx";
import { NotFound, RouteError } from "./fallbacks.tsx";
import { Shell } from "./shell.tsx";

/** A place in a document: the source pane opens there, and the address keeps it. */
export type SourceSearch = { readonly source?: string; readonly version?: string; readonly start?: number; readonly end?: number };

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const offset = (value: unknown): number | undefined =>
  Number.isInteger(Number(value)) && value !== "" && value !== undefined && value !== null ? Number(value) : undefined;
function defined<T extends Record<string, unknown>>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
const sourceSearch = (search: Record<string, unknown>): SourceSearch =>
  defined({ source: text(search["source"]), version: text(search["version"]), start: offset(search["start"]), end: offset(search["end"]) });

const rootRoute = createRootRouteWithContext<{ readonly queries: QueryClient }>()({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFound,
});

const knowledge = () => import("../features/knowledge/index.ts");
const box = () => import("../features/box/index.ts");
const account = () => import("../features/account/index.ts");

const setUpRoute = createRoute({ getParentRoute: () => rootRoute, path: "/setup", component: lazyRouteComponent(account, "SetUpPage") });
const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/signin",
  validateSearch: (search: Record<string, unknown>) => defined({ next: text(search["next"]), failed: text(search["failed"]) }),
  component: lazyRouteComponent(account, "SignInPage"),
});

const invitationRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/invitation",
  component: lazyRouteComponent(account, "InvitationPage"),
});

const shellRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "shell",
  component: Shell,
  errorComponent: RouteError,
  beforeLoad: async ({ context, location }) => {
    const session = await context.queries.ensureQueryData(sessionQuery());
    if (session.setupRequired && session.actor === null) throw redirect({ to: "/setup" });
    if (session.actor === null) throw redirect({ to: "/signin", search: { next: location.href } });
  },
});
const child = <const Path extends string>(path: Path) => ({ getParentRoute: () => shellRoute, path, errorComponent: RouteError }) as const;

const homeRoute = createRoute({
  ...child("/"),
  beforeLoad: () => {
    throw redirect({ to: "/chat" });
  },
});
const newChatRoute = createRoute({ ...child("/chat"), validateSearch: sourceSearch, component: ChatPage });
const chatRoute = createRoute({ ...child("/chat/$chatId"), validateSearch: sourceSearch, component: ChatPage });

const basesRoute = createRoute({ ...child("/knowledge"), component: lazyRouteComponent(knowledge, "BasesPage") });
const baseRoute = createRoute({ ...child("/knowledge/$kbId"), component: lazyRouteComponent(knowledge, "BaseLayout") });
const inBase = <const Path extends string>(path: Path) => ({ getParentRoute: () => baseRoute, path, errorComponent: RouteError }) as const;
const documentsRoute = createRoute({
  ...inBase("/"),
  validateSearch: (search: Record<string, unknown>) => defined({ state: text(search["state"]), search: text(search["search"]) }),
  component: lazyRouteComponent(knowledge, "DocumentsTab"),
});
const retrievalRoute = createRoute({
  ...inBase("/search"),
  validateSearch: (search: Record<string, unknown>) =>
    defined({
      q: text(search["q"]),
      folder: text(search["folder"]),
      type: text(search["type"]),
      tag: text(search["tag"]),
      from: text(search["from"]),
      to: text(search["to"]),
    }),
  component: lazyRouteComponent(knowledge, "RetrievalTab"),
});
const curatedRoute = createRoute({ ...inBase("/answers"), component: lazyRouteComponent(knowledge, "CuratedTab") });
const dictionaryRoute = createRoute({ ...inBase("/dictionary"), component: lazyRouteComponent(knowledge, "DictionaryTab") });
const gapsRoute = createRoute({ ...inBase("/gaps"), component: lazyRouteComponent(knowledge, "GapsTab") });
const documentRoute = createRoute({
  ...child("/documents/$documentId"),
  validateSearch: (search: Record<string, unknown>) =>
    defined({
      view: search["view"] === "chunks" ? ("chunks" as const) : undefined,
      version: text(search["version"]),
      start: offset(search["start"]),
      end: offset(search["end"]),
    }),
  component: lazyRouteComponent(knowledge, "DocumentPage"),
});

const boxRoute = createRoute({ ...child("/box"), component: lazyRouteComponent(box, "BoxLayout") });
const inBox = <const Path extends string>(path: Path) => ({ getParentRoute: () => boxRoute, path, errorComponent: RouteError }) as const;
const healthRoute = createRoute({
  ...inBox("/"),
  beforeLoad: async ({ context }) => {
    // Health is for administrators; everybody has an account.
    if (!isAdministrator(await context.queries.ensureQueryData(sessionQuery()))) throw redirect({ to: "/box/account" });
  },
  component: lazyRouteComponent(box, "HealthTab"),
});
const modelsRoute = createRoute({ ...inBox("/models"), component: lazyRouteComponent(box, "ModelsTab") });
const jobsRoute = createRoute({ ...inBox("/jobs"), component: lazyRouteComponent(box, "JobsTab") });
const backupsRoute = createRoute({ ...inBox("/backups"), component: lazyRouteComponent(box, "BackupsTab") });
const pagesRoute = createRoute({ ...inBox("/pages"), component: lazyRouteComponent(box, "PagesTab") });
const teamsRoute = createRoute({ ...inBox("/teams"), component: lazyRouteComponent(box, "TeamsTab") });
const permissionsRoute = createRoute({ ...inBox("/permissions"), component: lazyRouteComponent(box, "PermissionsTab") });
const accountRoute = createRoute({ ...inBox("/account"), component: lazyRouteComponent(box, "AccountTab") });
const keysRoute = createRoute({ ...inBox("/keys"), component: lazyRouteComponent(box, "KeysTab") });
const usageRoute = createRoute({ ...inBox("/usage"), component: lazyRouteComponent(box, "UsageTab") });
const privacyRoute = createRoute({ ...inBox("/privacy"), component: lazyRouteComponent(box, "PrivacyTab") });
const auditRoute = createRoute({ ...inBox("/audit"), component: lazyRouteComponent(box, "AuditTab") });
const peopleRoute = createRoute({ ...inBox("/people"), component: lazyRouteComponent(box, "PeopleTab") });

const routeTree = rootRoute.addChildren([
  setUpRoute,
  signInRoute,
  invitationRoute,
  shellRoute.addChildren([
    homeRoute,
    newChatRoute,
    chatRoute,
    basesRoute,
    baseRoute.addChildren([documentsRoute, retrievalRoute, curatedRoute, dictionaryRoute, gapsRoute]),
    documentRoute,
    boxRoute.addChildren([
      healthRoute,
      modelsRoute,
      jobsRoute,
      backupsRoute,
      pagesRoute,
      peopleRoute,
      teamsRoute,
      permissionsRoute,
      accountRoute,
      keysRoute,
      usageRoute,
      auditRoute,
      privacyRoute,
    ]),
  ]),
]);

export function createConsoleRouter(queries: QueryClient) {
  return createRouter({
    routeTree,
    context: { queries },
    defaultPreload: "intent",
    defaultErrorComponent: RouteError,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>;
  }
}
