/** @file The Box place, loaded when it is first opened. */
import "../../styles/pages.css";

export { AccountTab } from "./account-tab.tsx";
export { AuditTab } from "./audit-tab.tsx";
export { BackupsTab } from "./backups-tab.tsx";
export { BoxLayout } from "./box-layout.tsx";
export { HealthTab } from "./health-tab.tsx";
export { JobsTab } from "./jobs-tab.tsx";
export { KeysTab } from "./keys-tab.tsx";
export { ModelsTab } from "./models-tab.tsx";
export { PagesTab } from "./pages-tab.tsx";
export { PeopleTab } from "./people-tab.tsx";
export { PermissionsTab } from "./permissions-tab.tsx";
export { PrivacyTab } from "./privacy-tab.tsx";
export { TeamsTab } from "./teams-tab.tsx";
export { UsageTab } from "./usage-tab.tsx";
