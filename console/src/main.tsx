/** @file The console's first step: the words, then the screens. */
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/client.ts";
import { createConsoleRouter } from "./app/router.tsx";
import { startLanguages } from "./i18n/index.ts";
import "./styles/base.css";
import "./styles/ui.css";
import "./styles/shell.css";
import "./styles/chat.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root.");
await startLanguages();
createRoot(root).render(
  <QueryClientProvider client={queryClient}>
    <RouterProvider router={createConsoleRouter(queryClient)} />
  </QueryClientProvider>,
);
