/** @file The Knowledge place, loaded when it is first opened. */
import "../../styles/pages.css";

export { BaseLayout } from "./base-layout.tsx";
export { BasesPage } from "./bases-page.tsx";
export { CuratedTab } from "./curated-tab.tsx";
export { DictionaryTab } from "./dictionary-tab.tsx";
export { DocumentPage } from "./document-page.tsx";
export { DocumentsTab } from "./documents-tab.tsx";
export { GapsTab } from "./gaps-tab.tsx";
export { RetrievalTab } from "./retrieval-tab.tsx";
