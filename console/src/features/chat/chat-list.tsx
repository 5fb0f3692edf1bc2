/** @file The chats in the side bar, newest first; rename and remove. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ChatInfo } from "#contracts";
import { client } from "../../api/client.ts";
import { chatsQuery, useAction } from "../../api/queries.ts";
import { EditIcon, MoreIcon, PlusIcon, RemoveIcon } from "../../ui/icons.ts";
import { Menu } from "../../ui/menu.tsx";
import { useRemoval } from "../../ui/remove-button.tsx";
import { useRemoving } from "../../ui/undo.ts";

export function ChatList() {
  const { t } = useTranslation();
  const { data: chats, isPending } = useQuery(chatsQuery());
  const removing = useRemoving();
  const shown = chats?.filter((chat) => !removing.has(chat.id)) ?? [];
  return (
    <section aria-label={t("chat.list")}>
      <div className="row side-title">
        <h2>{t("chat.list")}</h2>
        <Link to="/chat" className="button quiet icon small end" aria-label={t("chat.new")} title={t("chat.new")}>
          <PlusIcon size={15} aria-hidden />
        </Link>
      </div>
      <ul>
        {shown.map((chat) => (
          <ChatRow key={chat.id} chat={chat} />
        ))}
      </ul>
      {!isPending && shown.length === 0 ? <p className="muted tiny side-empty">{t("chat.listEmpty")}</p> : null}
    </section>
  );
}

function ChatRow({ chat }: { readonly chat: ChatInfo }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const here = useParams({ strict: false }).chatId === chat.id;
  const [renaming, setRenaming] = useState(false);
  const rename = useAction((title: string) => client.chats.update(chat.id, { title }), [["chats"]]);
  const removal = useRemoval();
  const remove = useAction(() => client.chats.remove(chat.id), [["chats"]]);
  const title = chat.title || t("chat.untitled");

  if (renaming) {
    return (
      <li>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const next = String(new FormData(event.currentTarget).get("title") ?? "").trim();
            setRenaming(false);
            if (next !== "" && next !== chat.title) rename.mutate(next);
          }}
        >
          <input
            className="input small"
            name="title"
            aria-label={t("chat.rename")}
            autoFocus
            defaultValue={chat.title}
            onBlur={(event) => event.target.form?.requestSubmit()}
            onKeyDown={(event) => event.key === "Escape" && setRenaming(false)}
          />
        </form>
      </li>
    );
  }
  return (
    <li className="side-row">
      <Link
        to="/chat/$chatId"
        params={{ chatId: chat.id }}
        className="side-link"
        data-here={here || undefined}
        aria-current={here ? "page" : undefined}
      >
        <span className="clip">{title}</span>
      </Link>
      <Menu label={t("chat.more", { title })} icon={MoreIcon}>
        {(close) => (
          <>
            <button type="button" onClick={() => (close(), setRenaming(true))}>
              <EditIcon size={15} aria-hidden />
              {t("chat.rename")}
            </button>
            <button
              type="button"
              className="danger"
              onClick={() => {
                close();
                removal({ id: chat.id, removed: t("chat.removed", { title }), action: remove });
                if (here) void navigate({ to: "/chat" });
              }}
            >
              <RemoveIcon size={15} aria-hidden />
              {t("common.remove")}
            </button>
          </>
        )}
      </Menu>
    </li>
  );
}
