/** @file The readable page of the API: the OpenAPI description as plain HTML, no script, nothing from elsewhere. */

type JsonMap = { readonly [key: string]: unknown };
const map = (value: unknown): JsonMap => (typeof value === "object" && value !== null ? (value as JsonMap) : {});
const escapeHtml = (value: unknown): string => String(value ?? "").replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

export function docsPage(document: object): string {
  const root = map(document);
  const info = map(root.info);
  const byTag = new Map<string, string[]>();
  for (const [path, item] of Object.entries(map(root.paths))) {
    for (const [method, operation] of Object.entries(map(item))) {
      const tag = String((map(operation).tags as readonly unknown[] | undefined)?.[0] ?? "other");
      byTag.set(tag, [...(byTag.get(tag) ?? []), operationHtml(method, path, map(operation))]);
    }
  }
  const schemas = Object.entries(map(map(root.components).schemas)).map(
    ([name, schema]) => `<section id="schema-${escapeHtml(name)}"><h3>${escapeHtml(name)}</h3>${schemaTable(map(schema))}</section>`,
  );
  const tags = [...byTag.keys()];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Starbox API</title><link rel="stylesheet" href="/api/docs.css"></head><body>
<nav aria-label="Sections"><strong>Starbox ${escapeHtml(info.version)}</strong>${tags.map((tag) => `<a href="#${escapeHtml(tag)}">${escapeHtml(tag)}</a>`).join("")}<a href="#schemas">shapes</a><a href="/api/openapi.json">openapi.json</a></nav>
<main><h1>Starbox API · 星匣接口</h1><p>${escapeHtml(info.description)}</p><p>程序请带上密钥：<code>Authorization: Bearer sb-…</code>。出错时返回 <code>{error: {code, message, hint, zh}}</code>，<code>code</code> 保持不变，<code>zh</code> 是中文说明。</p>
<pre>curl -H "Authorization: Bearer sb-…" http://127.0.0.1:8480/api/bases</pre>
${tags.map((tag) => `<h2 id="${escapeHtml(tag)}">${escapeHtml(tag)}</h2>${(byTag.get(tag) ?? []).join("")}`).join("")}
<h2 id="schemas">Shapes · 数据结构</h2>${schemas.join("")}</main></body></html>`;
}

function operationHtml(method: string, path: string, operation: JsonMap): string {
  const parameters = (operation.parameters as readonly JsonMap[] | undefined) ?? [];
  const rows = parameters.map(
    (item) =>
      `<tr><td><code>${escapeHtml(item.name)}</code></td><td>${escapeHtml(item.in)}${item.required === true ? "" : ", optional"}</td><td>${typeText(map(item.schema))} ${escapeHtml(item.description ?? map(item.schema).description)}</td></tr>`,
  );
  const body = Object.entries(map(map(operation.requestBody).content)).map(
    ([type, media]) => `<h4>Body <small>${escapeHtml(type)}</small></h4>${schemaTable(map(map(media).schema))}`,
  );
  const responses = Object.entries(map(operation.responses)).map(([status, response]) => {
    const content = Object.values(map(map(response).content))[0];
    return `<tr><td>${escapeHtml(status)}</td><td>${escapeHtml(map(response).description)}</td><td>${content === undefined ? "" : typeText(map(map(content).schema))}</td></tr>`;
  });
  const open = Array.isArray(operation.security) && operation.security.length === 0;
  return `<details id="${escapeHtml(operation.operationId)}"><summary><b class="${escapeHtml(method)}">${escapeHtml(method.toUpperCase())}</b> <code>${escapeHtml(path)}</code> ${escapeHtml(operation.summary)} <span lang="zh">${escapeHtml(operation["x-summary-zh"])}</span></summary>
${paragraphs(operation)}<p>${open ? "No sign-in needed." : "Needs a key or a session."}</p>
${rows.length === 0 ? "" : `<h4>Parameters</h4><table>${rows.join("")}</table>`}${body.join("")}<h4>Answers</h4><table>${responses.join("")}</table></details>`;
}

/** The description after its first paragraph, which repeats the Chinese summary for other readers of the description. */
function paragraphs(operation: JsonMap): string {
  const [, ...rest] = String(operation.description ?? "").split("\n\n");
  return rest.map((text) => `<p>${escapeHtml(text)}</p>`).join("");
}

function schemaTable(schema: JsonMap): string {
  const properties = Object.entries(map(schema.properties));
  if (properties.length === 0) return `<p>${typeText(schema)}</p>`;
  const required = new Set((schema.required as readonly string[] | undefined) ?? []);
  return `<table>${properties.map(([name, item]) => `<tr><td><code>${escapeHtml(name)}</code></td><td>${required.has(name) ? "" : "optional"}</td><td>${typeText(map(item))} ${escapeHtml(map(item).description)}</td></tr>`).join("")}</table>`;
}

function typeText(schema: JsonMap): string {
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.split("/").pop() ?? "";
    return `<a href="#schema-${escapeHtml(name)}">${escapeHtml(name)}</a>`;
  }
  for (const key of ["anyOf", "oneOf", "allOf"]) {
    const options = schema[key];
    if (Array.isArray(options)) return options.map((item) => typeText(map(item))).join(key === "allOf" ? " &amp; " : " | ");
  }
  if (Array.isArray(schema.enum)) return schema.enum.map((item) => `<code>${escapeHtml(JSON.stringify(item))}</code>`).join(" | ");
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : String(schema.type ?? "any");
  if (type === "array") return `list of ${typeText(map(schema.items))}`;
  if (type === "object" && Object.keys(map(schema.properties)).length > 0) {
    return `{ ${Object.entries(map(schema.properties))
      .map(([name, item]) => `${escapeHtml(name)}: ${typeText(map(item))}`)
      .join(", ")} }`;
  }
  return escapeHtml(type + (schema.format === undefined ? "" : ` (${String(schema.format)})`));
}

export const docsStyle = `:root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:#2f6feb}
body{margin:0;font:15px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans SC",sans-serif}
nav{position:sticky;top:0;display:flex;flex-wrap:wrap;gap:4px 16px;padding:12px 24px;background:Canvas;border-bottom:1px solid var(--line)}
main{max-width:920px;margin:0 auto;padding:0 24px 64px}a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}pre{padding:12px;background:var(--soft);overflow:auto}
details{border:1px solid var(--line);border-radius:8px;margin:8px 0;padding:0 16px}summary{padding:10px 0;cursor:pointer}
b{display:inline-block;min-width:68px}summary span{opacity:.7}table{width:100%;border-collapse:collapse;margin:0 0 16px}td{padding:4px 12px 4px 0;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
h4{margin:16px 0 4px}section{scroll-margin-top:64px}h2{margin-top:40px}.delete{color:#c33}.post,.put,.patch{color:#a60}`;
