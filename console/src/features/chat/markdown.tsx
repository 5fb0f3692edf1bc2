/** @file Markdown of an answer as React elements. Nothing becomes HTML by itself: tags stay text, pictures are never fetched, links open only when clicked. */
import { lexer, type Token, type Tokens } from "marked";
import { Fragment, memo, type ReactNode } from "react";

type Props = {
  readonly text: string /** How a numeral like [2] is shown; null leaves it as text. */;
  readonly cite: (marker: number) => ReactNode | null;
};

export const Markdown = memo(function Markdown({ text, cite }: Props) {
  return <div className="prose">{blocks(lexer(text, { gfm: true, breaks: true }), cite)}</div>;
});

type Cite = Props["cite"];

function blocks(tokens: readonly Token[], cite: Cite): ReactNode[] {
  return tokens.map((token, index) => <Fragment key={index}>{block(token as Tokens.Generic, cite)}</Fragment>);
}

function block(token: Tokens.Generic, cite: Cite): ReactNode {
  switch (token.type) {
    case "space":
      return null;
    case "heading":
      return <p className="prose-heading">{inlines(token.tokens ?? [], cite)}</p>;
    case "paragraph":
      return <p>{inlines(token.tokens ?? [], cite)}</p>;
    case "text":
      return token.tokens ? inlines(token.tokens, cite) : numerals(token["text"] as string, cite);
    case "blockquote":
      return <blockquote>{blocks(token.tokens ?? [], cite)}</blockquote>;
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{token["text"] as string}</code>
        </pre>
      );
    case "hr":
      return <hr />;
    case "list":
      return list(token as Tokens.List, cite);
    case "table":
      return table(token as Tokens.Table, cite);
    default:
      return <p>{numerals(token.raw, cite)}</p>; // html, def: what was written, as written
  }
}

function list(token: Tokens.List, cite: Cite): ReactNode {
  const rows = token.items.map((item, index) => <li key={index}>{blocks(item.tokens, cite)}</li>);
  return token.ordered ? <ol start={typeof token.start === "number" ? token.start : 1}>{rows}</ol> : <ul>{rows}</ul>;
}

function table(token: Tokens.Table, cite: Cite): ReactNode {
  return (
    <div className="prose-table">
      <table>
        <thead>
          <tr>
            {token.header.map((cell, index) => (
              <th key={index} scope="col">
                {inlines(cell.tokens, cite)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>{inlines(cell.tokens, cite)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inlines(tokens: readonly Token[], cite: Cite): ReactNode[] {
  return tokens.map((token, index) => <Fragment key={index}>{inline(token as Tokens.Generic, cite)}</Fragment>);
}

function inline(token: Tokens.Generic, cite: Cite): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inlines(token.tokens ?? [], cite)}</strong>;
    case "em":
      return <em>{inlines(token.tokens ?? [], cite)}</em>;
    case "del":
      return <del>{inlines(token.tokens ?? [], cite)}</del>;
    case "codespan":
      return <code>{token["text"] as string}</code>;
    case "br":
      return <br />;
    case "escape":
      return token["text"] as string;
    case "link":
      return link(token as Tokens.Link, cite);
    case "image":
      return <span>{token["text"] as string}</span>;
    default:
      return numerals(token.tokens ? token.raw : ((token.type === "text" ? token["text"] : token.raw) as string), cite);
  }
}

function link(token: Tokens.Link, cite: Cite): ReactNode {
  if (!/^(https?:|mailto:)/i.test(token.href)) return inlines(token.tokens, cite);
  return (
    <a href={token.href} target="_blank" rel="noopener noreferrer nofollow" title={token.href}>
      {inlines(token.tokens, cite)}
    </a>
  );
}

function numerals(text: string, cite: Cite): ReactNode {
  const parts = text.split(/\[(\d{1,3})\]/);
  if (parts.length === 1) return text;
  return parts.map((part, index) => <Fragment key={index}>{index % 2 === 0 ? part : (cite(Number(part)) ?? `[${part}]`)}</Fragment>);
}
