/** @file The console's one connection to its box: same origin, session cookie. */
import { QueryClient } from "@tanstack/react-query";
import { ClientError, createClient } from "#client";
import { fetchAsViewed } from "./view-as.ts";

export const client = createClient({ baseUrl: "", fetch: fetchAsViewed });

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      // A box that restarts is back in seconds; an answer it gave (4xx) will not change by asking again.
      retry: (count, error) => count < 2 && !(error instanceof ClientError && error.status >= 400 && error.status < 500),
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
