// The chat page for people who do not sign in. Words from the box are put in as text, never as markup.
const id = location.pathname.split("/").at(-1);
const zh = /^zh/i.test(navigator.language);
const t = (english, chinese) => (zh ? chinese : english);
const at = (selector) => document.querySelector(selector);
const log = at("#log");
const form = at("form");
const field = at("textarea");

document.documentElement.lang = zh ? "zh-CN" : "en";
field.placeholder = t("Your question", "请输入问题");
field.setAttribute("aria-label", field.placeholder);
at("button").textContent = t("Ask", "提问");

function add(kind, text) {
  const item = document.createElement("article");
  item.className = kind;
  const words = document.createElement("p");
  words.textContent = text;
  item.append(words);
  log.append(item);
  item.scrollIntoView({ block: "end" });
  return { item, words };
}

async function start() {
  const response = await fetch(`/api/p/${encodeURIComponent(id)}`);
  const body = await response.json();
  if (response.status === 404) {
    document.title = at("h1").textContent = t("This page is not there", "页面不存在");
    return add(
      "bad",
      t(
        "It was switched off or removed, or the link is not complete. Ask whoever gave it to you.",
        "页面已停用或删除，或者链接不完整。请联系提供链接的人。",
      ),
    );
  }
  if (!response.ok) return add("bad", (zh && body.error?.zh?.message) || body.error?.message || "?");
  document.title = body.name;
  at("h1").textContent = body.name;
  if (body.greeting !== "") add("box", body.greeting);
  form.hidden = false;
  field.focus();
}

async function* events(response) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: {")) yield JSON.parse(line.slice(6));
  }
}

function showSources(item, sources) {
  if (sources.length === 0) return;
  const list = document.createElement("ul");
  for (const source of sources) {
    const row = document.createElement("li");
    const page = source.page === null ? "" : t(`, page ${source.page}`, `，第 ${source.page} 页`);
    row.textContent = `[${source.marker}] ${source.document}${page}`;
    row.title = source.quote;
    list.append(row);
  }
  item.append(list);
}

async function ask(question) {
  add("person", question);
  const { item, words } = add("box", "…");
  const fail = (error) => {
    item.className = "bad";
    words.textContent =
      [(zh && error?.zh?.message) || error?.message, (zh && error?.zh?.hint) || error?.hint].filter(Boolean).join(" ") ||
      t("The box did not answer.", "星匣没有回应。");
  };
  try {
    const response = await fetch(`/api/p/${encodeURIComponent(id)}/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question }),
    });
    if (!response.ok) return fail((await response.json()).error);
    let text = "";
    for await (const event of events(response)) {
      if (event.type === "text-delta") words.textContent = text += event.text;
      else if (event.type === "error") fail(event.error);
      else if (event.type === "finish") {
        words.textContent = event.text;
        showSources(item, event.sources);
      }
      item.scrollIntoView({ block: "end" });
    }
  } catch {
    fail();
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = field.value.trim();
  if (question === "") return;
  field.value = "";
  at("button").disabled = true;
  await ask(question);
  at("button").disabled = false;
  field.focus();
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
void start();
