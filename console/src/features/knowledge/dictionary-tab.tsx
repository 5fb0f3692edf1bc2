/** @file The words of the house and what means the same: one a line, synonyms parted by commas. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Dictionary } from "#client";
import { client } from "../../api/client.ts";
import { dictionaryQuery, useAction } from "../../api/queries.ts";
import { Button, Skeletons } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { showToast } from "../../ui/toasts.tsx";
import { useBase } from "./base-layout.tsx";

const lines = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
const group = (line: string): string[] =>
  line
    .split(/[,，、=＝]/)
    .map((word) => word.trim())
    .filter((word) => word !== "");

export function DictionaryTab() {
  const { t } = useTranslation();
  const base = useBase();
  const dictionary = useQuery(dictionaryQuery(base.id));
  if (dictionary.isPending) return <Skeletons label={t("common.loading")} />;
  if (dictionary.isError)
    return (
      <div className="page-body">
        <ErrorCard error={dictionary.error} onRetry={() => void dictionary.refetch()} />
      </div>
    );
  return <DictionaryForm key={dictionary.dataUpdatedAt} kbId={base.id} dictionary={dictionary.data} />;
}

function DictionaryForm({ kbId, dictionary }: { readonly kbId: string; readonly dictionary: Dictionary }) {
  const { t } = useTranslation();
  const [words, setWords] = useState(dictionary.words.join("\n"));
  const [synonyms, setSynonyms] = useState(dictionary.synonyms.map((items) => items.join("，")).join("\n"));
  const save = useAction((json: Dictionary) => client.knowledge.writeDictionary(kbId, json), [["dictionary", kbId], ["bases"]]);
  const submit = () =>
    save.mutate(
      {
        words: lines(words),
        synonyms: lines(synonyms)
          .map(group)
          .filter((items) => items.length > 1),
      },
      { onSuccess: () => showToast(t("dictionary.saved")) },
    );
  return (
    <form className="page-body" onSubmit={(event) => (event.preventDefault(), submit())}>
      <p className="muted small">{t("dictionary.hint")}</p>
      <div className="two">
        <div className="field">
          <label htmlFor="dictionary-words">{t("dictionary.words")}</label>
          <textarea
            id="dictionary-words"
            className="input"
            rows={12}
            value={words}
            placeholder={t("dictionary.wordsExample")}
            onChange={(event) => setWords(event.target.value)}
          />
          <span className="hint">{t("dictionary.wordsHint")}</span>
        </div>
        <div className="field">
          <label htmlFor="dictionary-synonyms">{t("dictionary.synonyms")}</label>
          <textarea
            id="dictionary-synonyms"
            className="input"
            rows={12}
            value={synonyms}
            placeholder={t("dictionary.synonymsExample")}
            onChange={(event) => setSynonyms(event.target.value)}
          />
          <span className="hint">{t("dictionary.synonymsHint")}</span>
        </div>
      </div>
      {save.isError ? <ErrorCard error={save.error} /> : null}
      <div className="row">
        <Button look="primary" type="submit" busy={save.isPending}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}
