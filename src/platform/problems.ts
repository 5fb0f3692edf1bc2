/** @file What `platform` says when it cannot, in both languages. */
import { StarboxError } from "#base";
import type { Actor } from "#contracts";

export const wrongPassword = (): StarboxError =>
  new StarboxError("unauthorized", "E-mail or password is wrong.", {
    hint: "Check both; an administrator can set a new password for you.",
    zh: { message: "邮箱或密码不正确。", hint: "请检查后重试；管理员可以为你设置新密码。" },
  });

export const wrongSetupCode = (): StarboxError =>
  new StarboxError("setup_code_wrong", "The set-up code is wrong.", {
    hint: "The box prints it in the terminal when it starts; a restart prints a new one.",
    zh: { message: "初始化代码不正确。", hint: "代码会在星匣启动时显示在终端里；重新启动会生成新的代码。" },
  });

export const alreadySetUp = (): StarboxError =>
  new StarboxError("conflict", "The box is already set up.", {
    hint: "Sign in; an administrator can add people.",
    zh: { message: "星匣已经完成初始化。", hint: "请直接登录；管理员可以添加成员。" },
  });

export const noPerson = (id: string): StarboxError =>
  new StarboxError("not_found", `No person "${id}".`, {
    hint: "GET /api/people lists them.",
    zh: { message: `没有成员“${id}”。`, hint: "GET /api/people 可列出所有成员。" },
  });

export const noKey = (id: string): StarboxError =>
  new StarboxError("not_found", `No key "${id}".`, {
    hint: "GET /api/keys lists them.",
    zh: { message: `没有密钥“${id}”。`, hint: "GET /api/keys 可列出所有密钥。" },
  });

export const lastAdministrator = (): StarboxError =>
  new StarboxError("conflict", "This is the last administrator.", {
    hint: "Make somebody else an administrator first.",
    zh: { message: "这是最后一位管理员。", hint: "请先把其他成员设为管理员。" },
  });

export function needAdministrator(actor: Actor): void {
  if (actor.role === "operator" || actor.role === "administrator") return;
  throw new StarboxError("forbidden", "Only an administrator may do this.", {
    hint: "Ask an administrator of this box.",
    zh: { message: "只有管理员可以这样做。", hint: "请联系本机的管理员。" },
  });
}
