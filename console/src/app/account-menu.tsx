/** @file Who is signed in, the language, the colours, signing out. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { client, queryClient } from "../api/client.ts";
import { sessionQuery } from "../api/queries.ts";
import { setLanguage } from "../i18n/index.ts";
import { IconButton } from "../ui/basics.tsx";
import { AutoThemeIcon, LanguageIcon, MoonIcon, SignOutIcon, SunIcon } from "../ui/icons.ts";
import { setTheme, type Theme, useTheme } from "./theme.ts";

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" };
const themeIcons = { auto: AutoThemeIcon, light: SunIcon, dark: MoonIcon } as const;

export function LookButtons() {
  const { t, i18n } = useTranslation();
  const theme = useTheme();
  const other = i18n.language === "zh-CN" ? "en" : "zh-CN";
  return (
    <>
      <IconButton label={other === "en" ? "Switch to English" : "切换到中文"} icon={LanguageIcon} onClick={() => void setLanguage(other)} />
      <IconButton label={t(`theme.${theme}`)} icon={themeIcons[theme]} onClick={() => setTheme(nextTheme[theme])} />
    </>
  );
}

export function AccountMenu() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { data: session } = useQuery(sessionQuery());
  const signOut = async () => {
    await client.account.signOut();
    queryClient.clear();
    await navigate({ to: "/signin" });
  };
  const name = session?.actor?.name ?? "";
  return (
    <div className="row account">
      <span className="avatar" aria-hidden="true">
        {[...name][0]?.toUpperCase() ?? "·"}
      </span>
      <span className="clip small grow" title={session?.email ?? name}>
        {name}
      </span>
      <LookButtons />
      <IconButton label={t("account.signOut")} icon={SignOutIcon} onClick={() => void signOut()} />
    </div>
  );
}
