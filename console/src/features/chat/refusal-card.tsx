/** @file "The documents don't say": what was looked for, what came closest, and where the question went. */
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { ChatTurn } from "#contracts";
import { NextIcon, RefusalIcon } from "../../ui/icons.ts";
import { useOpenSource } from "../source/use-source.ts";

export function RefusalCard({ turn, kbIds }: { readonly turn: ChatTurn; readonly kbIds: readonly string[] }) {
  const { t } = useTranslation();
  const openSource = useOpenSource();
  const kbId = kbIds[0];
  return (
    <div className="refusal card">
      <h2 className="row">
        <RefusalIcon size={16} aria-hidden />
        {t("refusal.title")}
      </h2>
      <p className="soft">{turn.content}</p>
      {turn.nearest.length > 0 ? (
        <>
          <p className="label">{t("refusal.nearest")}</p>
          <ul>
            {turn.nearest.slice(0, 3).map((hit) => (
              <li key={`${hit.documentId}-${hit.start}`}>
                <button type="button" className="nearest" onClick={() => openSource(hit)}>
                  <span className="row small">
                    <strong className="clip">{hit.document}</strong>
                    {hit.page === null ? null : <span className="muted nowrap">{t("source.page", { page: hit.page })}</span>}
                  </span>
                  <span className="nearest-text">{hit.text}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {kbId === undefined ? null : (
        <p className="tiny muted row">
          {t("refusal.noted")}
          <Link to="/knowledge/$kbId/gaps" params={{ kbId }} className="row" style={{ gap: 2 }}>
            {t("refusal.gaps")}
            <NextIcon size={13} aria-hidden />
          </Link>
        </p>
      )}
    </div>
  );
}
