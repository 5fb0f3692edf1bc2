/** @file Where a question is written, with what may be read for it as chips. Enter sends, Shift-Enter breaks the line. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { basesQuery, modelsQuery } from "../../api/queries.ts";
import { BaseIcon, CheckIcon, ModelIcon, PlusIcon, SendIcon, StopIcon } from "../../ui/icons.ts";
import { Menu } from "../../ui/menu.tsx";
import type { Choice } from "./choice.ts";

type Props = {
  readonly choice: Choice;
  readonly onChoice: (choice: Choice) => void;
  readonly busy: boolean;
  readonly onSend: (content: string) => void;
  readonly onStop: () => void;
  readonly chatId: string | undefined;
};

export function Composer({ choice, onChoice, busy, onSend, onStop, chatId }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (window.matchMedia("(pointer: fine)").matches) input.current?.focus({ preventScroll: true });
  }, [chatId]);
  useLayoutEffect(() => {
    const element = input.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, 220)}px`;
  }, [text]);
  const send = () => {
    const content = text.trim();
    if (content === "" || busy) return;
    setText("");
    onSend(content);
  };
  return (
    <form className="composer" onSubmit={(event) => (event.preventDefault(), send())}>
      <div className="composer-box">
        <textarea
          ref={input}
          rows={1}
          value={text}
          aria-label={t("chat.question")}
          placeholder={choice.kbIds.length > 0 ? t("chat.placeholder") : t("chat.placeholderNoBase")}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            // While a Chinese input method is composing, Enter belongs to it.
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <div className="row composer-row">
          <BaseChip choice={choice} onChoice={onChoice} />
          <ModelChip choice={choice} onChoice={onChoice} />
          {busy ? (
            <button type="button" className="send" aria-label={t("chat.stop")} title={t("chat.stop")} onClick={onStop}>
              <StopIcon size={13} fill="currentColor" aria-hidden />
            </button>
          ) : (
            <button type="submit" className="send" aria-label={t("chat.send")} title={t("chat.send")} disabled={text.trim() === ""}>
              <SendIcon size={16} aria-hidden />
            </button>
          )}
        </div>
      </div>
      <p className="muted tiny composer-note">{t("chat.note")}</p>
    </form>
  );
}

function BaseChip({ choice, onChoice }: Pick<Props, "choice" | "onChoice">) {
  const { t } = useTranslation();
  const { data: bases = [] } = useQuery(basesQuery());
  const names = bases.filter((base) => choice.kbIds.includes(base.id)).map((base) => base.name);
  const text =
    names.length === 0 ? t("chat.noBase") : names.length === 1 ? names[0] : t("chat.basesChosen", { name: names[0] ?? "", count: names.length });
  const toggle = (id: string) =>
    onChoice({ ...choice, kbIds: choice.kbIds.includes(id) ? choice.kbIds.filter((other) => other !== id) : [...choice.kbIds, id] });
  return (
    <Menu
      label={t("chat.chooseBases")}
      className={names.length > 0 ? "chip on" : "chip"}
      icon={BaseIcon}
      text={<span className="clip">{text}</span>}
      align="start"
    >
      {(close) => (
        <>
          <p className="heading">{t("chat.chooseBases")}</p>
          {bases.map((base) => (
            <button key={base.id} type="button" role="checkbox" aria-checked={choice.kbIds.includes(base.id)} onClick={() => toggle(base.id)}>
              <CheckIcon size={15} aria-hidden style={{ opacity: choice.kbIds.includes(base.id) ? 1 : 0 }} />
              <span className="clip">{base.name}</span>
              <span className="end muted tiny num">{t("kb.documents", { count: base.documents })}</span>
            </button>
          ))}
          {bases.length > 0 ? <hr /> : null}
          <Link to="/knowledge" onClick={close}>
            <PlusIcon size={15} aria-hidden />
            {t("chat.manageBases")}
          </Link>
        </>
      )}
    </Menu>
  );
}

function ModelChip({ choice, onChoice }: Pick<Props, "choice" | "onChoice">) {
  const { t } = useTranslation();
  const { data: models = [] } = useQuery(modelsQuery());
  const usable = models.filter((model) => model.kind === "language" && (model.state === "ready" || model.state === "loaded"));
  const standard = models.find((model) => model.kind === "language" && model.isDefault);
  const current = choice.model ?? standard?.id;
  return (
    <Menu
      label={t("chat.chooseModel")}
      className="chip"
      icon={ModelIcon}
      text={<span className="clip">{current ?? t("chat.noModel")}</span>}
      align="start"
    >
      {(close) => (
        <>
          <p className="heading">{t("chat.chooseModel")}</p>
          {usable.map((model) => (
            <button
              key={model.id}
              type="button"
              role="radio"
              aria-checked={model.id === current}
              onClick={() => (onChoice({ ...choice, model: model.isDefault ? null : model.id }), close())}
            >
              <CheckIcon size={15} aria-hidden style={{ opacity: model.id === current ? 1 : 0 }} />
              <span className="clip">{model.id}</span>
              {model.isDefault ? <span className="end muted tiny">{t("models.default")}</span> : null}
            </button>
          ))}
          {usable.length > 0 ? <hr /> : null}
          <Link to="/box/models" onClick={close}>
            <ModelIcon size={15} aria-hidden />
            {t("chat.manageModels")}
          </Link>
        </>
      )}
    </Menu>
  );
}
