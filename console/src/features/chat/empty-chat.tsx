/** @file A chat before its first question: the one next step, with something to try. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { client } from "../../api/client.ts";
import { basesQuery, useAction } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { ErrorCard } from "../../ui/error-card.tsx";
import { BaseIcon, KnowledgeIcon, NextIcon } from "../../ui/icons.ts";
import type { Choice } from "./choice.ts";

/** The name the box gives the base of its samples. */
const sampleBaseName = "示例法规";
const sampleKeys = ["samples.q1", "samples.q2", "samples.q3"] as const;

export function EmptyChat({
  choice,
  onChoice,
  onAsk,
}: {
  readonly choice: Choice;
  readonly onChoice: (choice: Choice) => void;
  readonly onAsk: (question: string) => void;
}) {
  const { t } = useTranslation();
  const { data: bases, isPending } = useQuery(basesQuery());
  const addSamples = useAction(async () => {
    const base = await client.knowledge.addSamples();
    onChoice({ ...choice, kbIds: [base.id] });
    return base;
  }, [["bases"], ["documents"]]);
  const samples = addSamples.data ?? bases?.find((base) => base.name === sampleBaseName);
  const samplesChosen = samples !== undefined && choice.kbIds.includes(samples.id);
  const pending = bases?.find((base) => base.id === samples?.id)?.pending ?? 0;

  return (
    <div className="hello">
      <h2>{t("chat.hello")}</h2>
      <p className="soft">{t("chat.helloHint")}</p>
      {isPending || samplesChosen ? null : bases?.length === 0 || samples !== undefined ? (
        <div className="row wrap">
          <Button look="primary" icon={BaseIcon} busy={addSamples.isPending} onClick={() => addSamples.mutate(undefined)}>
            {t("samples.use")}
          </Button>
          <Link to="/knowledge" className="button">
            <KnowledgeIcon size={15} aria-hidden />
            {t("samples.own")}
          </Link>
        </div>
      ) : null}
      {addSamples.isError ? <ErrorCard error={addSamples.error} onRetry={() => addSamples.mutate(undefined)} /> : null}
      {samplesChosen ? (
        <>
          <p className="muted small" role="status">
            {pending > 0 ? t("samples.reading", { count: pending }) : t("samples.ready")}
          </p>
          <ul className="suggestions">
            {sampleKeys.map((key) => (
              <li key={key}>
                <button type="button" onClick={() => onAsk(t(key))}>
                  <span>{t(key)}</span>
                  <NextIcon size={15} aria-hidden />
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}
