/** @file `starbox keys …`: API keys with their limits; the key itself is printed once. */
import { type Command, Option } from "commander";
import { StarboxError } from "#base";
import type { ApiKeyInfo, NewApiKey } from "#contracts";
import { type Connection, withBox } from "../cli.ts";
import { parseSpan, wholeNumber } from "../options.ts";
import { type Terminal, table } from "../terminal.ts";
import type { Builder } from "./builder.ts";

type ScopeFlags = { readonly model?: readonly string[]; readonly base?: readonly string[]; readonly readOnly?: boolean; readonly expires?: string };

export function addKeys(program: Command, builder: Builder): void {
  const { add, t, run } = builder;
  const keys = add(
    "keys",
    ["API keys: create, list, rotate, revoke", "接口密钥：新建、查看、更换、吊销"],
    [
      "starbox keys create helpdesk",
      "starbox keys create report --read-only --base 人事制度 --expires 90d",
      "starbox keys rotate KEY_ID --grace 2h",
      "starbox keys revoke KEY_ID",
    ],
  );
  const idText = t("the key's id, or its first characters as listed", "密钥编号，或列表中显示的开头字符");

  keys.addCommand(
    add(
      "list",
      ["keys with their limits and last use", "列出密钥、权限范围与最近使用时间"],
      ["starbox keys list", "starbox keys list --json"],
    ).action(async () => {
      await run(async (cli) => {
        const found = await withBox(cli, async ({ services, actor }) => await services.keys.list(actor));
        if (cli.terminal.json) for (const key of found) cli.terminal.result(key, "");
        else if (found.length === 0) cli.terminal.note("No keys yet: starbox keys create NAME.", "还没有密钥：starbox keys create 名称。");
        else cli.terminal.result(null, table(found.map((key) => describe(key, cli.terminal))));
      });
    }),
  );
  keys.addCommand(
    add(
      "create",
      ["make a key; it is printed this once", "新建密钥，只显示这一次"],
      ["starbox keys create helpdesk", "starbox keys create etl --team TEAM_ID"],
    )
      .argument("<NAME>", t("what it is for", "用途"))
      .option("--person <ID>", t("whose it is (default: the box's own)", "归属人员（默认归星匣本身）"))
      .option("--team <ID>", t("the team whose it is", "归属团队"))
      .option("--model <ID...>", t("only these models", "只能使用这些模型"))
      .option("--base <NAME...>", t("only these knowledge bases", "只能使用这些知识库"))
      .option("--read-only", t("may ask and read, not change", "只能提问和读取"))
      .option("--expires <TIME>", t("a day (2027-01-31) or a span (90d, 12h)", "到期日（2027-01-31）或时长（90d、12h）"))
      .action(async (name: string, flags: ScopeFlags & { person?: string; team?: string }) => {
        await run(async (cli) => {
          const made = await withBox(
            cli,
            async (box) =>
              await box.services.keys.create(box.actor, {
                name,
                ...(flags.person === undefined ? {} : { personId: flags.person }),
                ...(flags.team === undefined ? {} : { teamId: flags.team }),
                ...(await readScope(box, flags)),
              }),
          );
          show(made, cli.terminal);
        });
      }),
  );
  keys.addCommand(
    add(
      "rotate",
      ["a new key in the place of the old one, which works on for a while", "更换密钥，旧密钥在宽限期内仍有效"],
      ["starbox keys rotate KEY_ID --grace 2h"],
    )
      .argument("<ID>", idText)
      .option("--grace <SPAN>", t("how long the old one still works (default 24h; 0 ends it now)", "旧密钥继续有效的时长（默认 24h；0 为立即失效）"))
      .action(async (id: string, flags: { grace?: string }) => {
        await run(async (cli) => {
          const made = await withBox(cli, async (box) => {
            const key = await findKey(box, id);
            return await box.services.keys.rotate(
              box.actor,
              key.id,
              flags.grace === undefined ? {} : { graceSeconds: parseSpan(flags.grace) / 1000 },
            );
          });
          show(made, cli.terminal);
        });
      }),
  );
  keys.addCommand(
    add("revoke", ["end a key at once", "立即吊销密钥"], ["starbox keys revoke KEY_ID"])
      .argument("<ID>", idText)
      .action(async (id: string) => {
        await run(async (cli) => {
          const key = await withBox(cli, async (box) => {
            const found = await findKey(box, id);
            await box.services.keys.revoke(box.actor, found.id);
            return found;
          });
          cli.terminal.result({ id: key.id, name: key.name, revoked: true }, cli.terminal.text(`Revoked ${key.name}.`, `已吊销 ${key.name}。`));
        });
      }),
  );
  addQuota(keys, builder);
  program.addCommand(keys);
}

const limits = [
  ["--requests-per-minute", "requestsPerMinute"],
  ["--requests-per-day", "requestsPerDay"],
  ["--tokens-per-minute", "tokensPerMinute"],
  ["--tokens-per-day", "tokensPerDay"],
  ["--tokens-per-month", "tokensPerMonth"],
  ["--concurrent", "concurrent"],
] as const;

function addQuota(keys: Command, { add, t, run }: Builder): void {
  const command = add(
    "quota",
    ["how much a key, person or team may use; without limits the quota goes", "设置密钥、人员或团队的配额；不给任何上限则取消"],
    [
      "starbox keys quota key KEY_ID --requests-per-minute 20 --tokens-per-day 100000",
      "starbox keys quota everyone --concurrent 3",
      "starbox keys quota list",
    ],
  )
    .argument("<KIND>", t("everyone, person, team, key, or list", "everyone、person、team、key，或 list"))
    .argument("[ID]", t("of the person, team or key", "人员、团队或密钥的编号"));
  for (const [flag] of limits) command.addOption(new Option(`${flag} <N>`).argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER)));
  command.action(async (kind: string, id: string | undefined, flags: Record<string, number | undefined>) => {
    await run(async (cli) => {
      await withBox(cli, async ({ services, actor }) => {
        if (kind === "list") {
          for (const quota of await services.usage.listQuotas(actor))
            cli.terminal.result(
              quota,
              [quota.kind, quota.subject, ...limits.flatMap(([, name]) => (quota[name] === null ? [] : [`${name} ${quota[name]}`]))].join("  "),
            );
          return;
        }
        if (kind !== "everyone" && kind !== "person" && kind !== "team" && kind !== "key")
          throw new StarboxError("usage", `Expected everyone, person, team, key or list, got "${kind}".`, {
            zh: { message: `应为 everyone、person、team、key 或 list，收到“${kind}”。` },
          });
        const given = Object.fromEntries(limits.flatMap(([, name]) => (flags[name] === undefined ? [] : [[name, flags[name]]])));
        const quota = await services.usage.writeQuota(actor, { kind, subject: id ?? "", ...given });
        cli.terminal.result(quota, cli.terminal.text("Quota set.", "配额已设置。"));
      });
    });
  });
  keys.addCommand(command);
}

async function readScope({ services, actor }: Connection, flags: ScopeFlags) {
  const bases: string[] = [];
  for (const name of flags.base ?? []) bases.push((await services.knowledge.readBase(actor, name)).id);
  return {
    ...(flags.model === undefined ? {} : { models: flags.model }),
    ...(flags.base === undefined ? {} : { bases }),
    ...(flags.readOnly === true ? { access: "read" as const } : {}),
    ...(flags.expires === undefined ? {} : { expiresAt: readExpiry(flags.expires) }),
  };
}

function readExpiry(text: string): string {
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Date.now() + parseSpan(text);
  if (Number.isNaN(at))
    throw new StarboxError("usage", `Expected a day or a span, got "${text}".`, { zh: { message: `应为日期或时长，收到“${text}”。` } });
  return new Date(at).toISOString();
}

async function findKey({ services, actor }: Connection, id: string): Promise<ApiKeyInfo> {
  const found = (await services.keys.list(actor)).filter((key) => key.id === id || key.prefix === id.slice(0, key.prefix.length));
  if (found.length === 1 && found[0] !== undefined) return found[0];
  throw new StarboxError("not_found", found.length === 0 ? `No key "${id}".` : `${found.length} keys begin with "${id}".`, {
    hint: "starbox keys list shows the ids.",
    zh: { message: found.length === 0 ? `没有密钥“${id}”。` : `有 ${found.length} 个密钥以“${id}”开头。`, hint: "starbox keys list 可查看编号。" },
  });
}

function show(made: NewApiKey, terminal: Terminal): void {
  terminal.result(made, made.key);
  terminal.note(`Key ${made.name} (${made.id}). It is shown only now.`, `密钥 ${made.name}（${made.id}）。仅显示这一次，请妥善保存。`);
  if (made.formerUntil !== null) terminal.note(`The former key works until ${made.formerUntil}.`, `旧密钥有效至 ${made.formerUntil}。`);
}

function describe(key: ApiKeyInfo, { text }: Terminal): string[] {
  const state =
    key.revokedAt !== null
      ? text("revoked", "已吊销")
      : key.expiresAt !== null && Date.parse(key.expiresAt) < Date.now()
        ? text("expired", "已过期")
        : text("good", "有效");
  return [
    key.id,
    key.name,
    `${key.prefix}…`,
    state,
    key.access === "read" ? text("read", "只读") : text("write", "可写"),
    key.models === null ? text("all models", "全部模型") : key.models.join(","),
    key.bases === null ? text("all bases", "全部知识库") : text(`${key.bases.length} bases`, `${key.bases.length} 个知识库`),
    key.lastUsedAt === null ? text("never used", "未使用") : text(`used ${key.lastUsedAt}`, `最近使用 ${key.lastUsedAt}`),
  ];
}
