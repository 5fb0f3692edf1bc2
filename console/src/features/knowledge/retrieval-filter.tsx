/** @file What a test search is limited to: folder, format, tag, dates. Choices come from the base's own documents; the address keeps them. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import type { RetrieveFilter } from "#contracts";
import { documentsQuery } from "../../api/queries.ts";
import { Button } from "../../ui/basics.tsx";
import { CloseIcon } from "../../ui/icons.ts";

/** As the address has it. */
export type FilterSearch = {
  readonly folder?: string;
  readonly type?: string;
  readonly tag?: string;
  readonly from?: string;
  readonly to?: string;
};

export const filterKeys = ["folder", "type", "tag", "from", "to"] as const;

export function filterOf({ folder, type, tag, from, to }: FilterSearch): RetrieveFilter {
  return {
    ...(folder === undefined ? {} : { folder }),
    ...(type === undefined ? {} : { types: [type] }),
    ...(tag === undefined ? {} : { tags: [tag] }),
    ...(from === undefined ? {} : { dateFrom: from }),
    ...(to === undefined ? {} : { dateTo: to }),
  };
}

const parents = (path: string): readonly string[] => path.split("/").flatMap((_, i, parts) => (i === 0 ? [] : [parts.slice(0, i).join("/")]));
const sorted = (values: Iterable<string>): readonly string[] => [...new Set(values)].sort((a, b) => a.localeCompare(b));

export function RetrievalFilter({
  kbId,
  value,
  onChange,
}: {
  readonly kbId: string;
  readonly value: FilterSearch;
  readonly onChange: (patch: { readonly [K in keyof FilterSearch]?: string | undefined }) => void;
}) {
  const { t } = useTranslation();
  // The first documents are enough for suggestions; folders and tags can also be typed.
  const documents = useInfiniteQuery(documentsQuery(kbId)).data?.pages.flatMap((page) => page.items) ?? [];
  const types = sorted([...documents.map((document) => document.type), ...(value.type === undefined ? [] : [value.type])]);
  const typeId = useId();
  const used = filterKeys.filter((key) => value[key] !== undefined);
  return (
    <fieldset className="row wrap toolbar filters">
      <legend className="sr">{t("retrieval.filters")}</legend>
      <Typed name="folder" value={value.folder} choices={sorted(documents.flatMap((document) => parents(document.path)))} onChange={onChange} />
      <span className="row small">
        <label className="soft" htmlFor={typeId}>
          {t("document.type")}
        </label>
        <select
          id={typeId}
          className="input filter"
          value={value.type ?? ""}
          onChange={(event) => onChange({ type: event.target.value || undefined })}
        >
          <option value="">{t("retrieval.any")}</option>
          {types.map((type) => (
            <option key={type} value={type}>
              {type.toUpperCase()}
            </option>
          ))}
        </select>
      </span>
      <Typed name="tag" value={value.tag} choices={sorted(documents.flatMap((document) => document.tags))} onChange={onChange} />
      <Day name="from" value={value.from} onChange={onChange} />
      <Day name="to" value={value.to} onChange={onChange} />
      {used.length === 0 ? null : (
        <Button small look="quiet" icon={CloseIcon} onClick={() => onChange(Object.fromEntries(filterKeys.map((key) => [key, undefined])))}>
          {t("retrieval.clearFilters")}
        </Button>
      )}
    </fieldset>
  );
}

type Part<Name extends keyof FilterSearch> = {
  readonly name: Name;
  readonly value: string | undefined;
  readonly onChange: (patch: { readonly [K in keyof FilterSearch]?: string | undefined }) => void;
};

/** Takes effect on Enter, on leaving the field, or when a suggestion is chosen. */
function Typed({ name, value, choices, onChange }: Part<"folder" | "tag"> & { readonly choices: readonly string[] }) {
  const { t } = useTranslation();
  const id = useId();
  const listId = useId();
  const set = (next: string): void => {
    if (next.trim() !== (value ?? "")) onChange({ [name]: next.trim() || undefined });
  };
  return (
    <span className="row small">
      <label className="soft nowrap" htmlFor={id}>
        {t(`retrieval.${name}`)}
      </label>
      <input
        key={value ?? ""}
        id={id}
        className="input filter"
        list={listId}
        defaultValue={value ?? ""}
        placeholder={t("retrieval.any")}
        onBlur={(event) => set(event.target.value)}
        onInput={(event) => choices.includes(event.currentTarget.value) && set(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && (event.preventDefault(), set(event.currentTarget.value))}
      />
      <datalist id={listId}>
        {choices.slice(0, 200).map((choice) => (
          <option key={choice} value={choice} />
        ))}
      </datalist>
    </span>
  );
}

function Day({ name, value, onChange }: Part<"from" | "to">) {
  const { t } = useTranslation();
  const id = useId();
  return (
    <span className="row small">
      <label className="soft nowrap" htmlFor={id}>
        {t(`retrieval.${name}`)}
      </label>
      <input
        id={id}
        type="date"
        className="input filter"
        value={value ?? ""}
        onChange={(event) => onChange({ [name]: event.target.value || undefined })}
      />
    </span>
  );
}
