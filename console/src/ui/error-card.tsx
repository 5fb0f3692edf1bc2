/** @file An error as people should meet it: what happened, the way out, a code to copy. Never a stack. */
import { useTranslation } from "react-i18next";
import { ClientError } from "#client";
import { Button, CopyButton, Notice } from "./basics.tsx";
import { AlertIcon, RetryIcon } from "./icons.ts";

export type ErrorLike = {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly zh?: { readonly message: string; readonly hint?: string | undefined } | undefined;
};

export function toErrorLike(error: unknown): ErrorLike {
  if (error instanceof ClientError) return error.record;
  if (typeof error === "object" && error !== null && "code" in error && "message" in error) return error as ErrorLike;
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

/** Message and hint in the language on screen. */
export function useErrorWords(): (error: unknown) => { readonly code: string; readonly message: string; readonly hint: string | undefined } {
  const { i18n } = useTranslation();
  return (error) => {
    const like = toErrorLike(error);
    const chinese = i18n.language.startsWith("zh") && like.zh !== undefined ? like.zh : null;
    return { code: like.code, message: chinese?.message ?? like.message, hint: chinese === null ? like.hint : (chinese.hint ?? like.hint) };
  };
}

export function ErrorCard({ error, onRetry }: { readonly error: unknown; readonly onRetry?: (() => void) | undefined }) {
  const { t } = useTranslation();
  const words = useErrorWords()(error);
  return (
    <Notice
      tone="bad"
      icon={AlertIcon}
      action={
        <span className="row">
          {onRetry ? (
            <Button small look="quiet" icon={RetryIcon} onClick={onRetry}>
              {t("common.retry")}
            </Button>
          ) : null}
          <CopyButton text={`${words.code}: ${words.message}`} label={t("error.copyCode")} />
        </span>
      }
    >
      <p>{words.message}</p>
      {words.hint ? <p className="soft">{words.hint}</p> : null}
      <p className="code">{words.code}</p>
    </Notice>
  );
}
