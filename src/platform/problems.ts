/** @file What `platform` says when it cannot, in both languages. */
import { StarboxError } from "#base";
import type { Actor } from "#contracts";

export const wrongPassword = (): StarboxError =>
  new StarboxError("unauthorized", "E-mail or password is wrong.", {
    hint: "Check both; an administrator can set a new password for you.",
    zh: { message: "邮箱或密码不正确。", hint: "请检查后重试；管理员可以为你设置新密码。" },
  });

export const needSecondFactor = (): StarboxError =>
  new StarboxError("second_factor_required", "The code of your authenticator app is needed too.", {
    hint: "Send it as code; a recovery code works as well.",
    zh: { message: "还需要验证器应用中的验证码。", hint: "请输入 6 位验证码；也可以使用恢复码。" },
  });

export const wrongCode = (): StarboxError =>
  new StarboxError("unauthorized", "The code is wrong or was used already.", {
    hint: "Wait for the next code; check the clock of the phone. A lost phone: use a recovery code, or ask an administrator.",
    zh: { message: "验证码不正确或已使用过。", hint: "请等待下一个验证码，并检查手机时间。手机丢失时可用恢复码，或联系管理员。" },
  });

export const notKnownHere = (): StarboxError =>
  new StarboxError("unauthorized", "You are not known to this box.", {
    hint: "Ask an administrator to add your e-mail address.",
    zh: { message: "本机没有你的账号。", hint: "请让管理员添加你的邮箱。" },
  });

export const oidcNotSet = (): StarboxError =>
  new StarboxError("not_found", "No sign-in provider is set on this box.", {
    hint: "The administrator sets STARBOX_OIDC_ISSUER and STARBOX_OIDC_CLIENT_ID.",
    zh: { message: "本机没有设置统一登录。", hint: "由管理员设置 STARBOX_OIDC_ISSUER 和 STARBOX_OIDC_CLIENT_ID。" },
  });

export const needSession = (): StarboxError =>
  new StarboxError("forbidden", "This is done signed in, not with a key.", {
    hint: "Sign in to the console.",
    zh: { message: "此操作需要登录，不能使用密钥。", hint: "请登录网页后操作。" },
  });

export const noSession = (): StarboxError =>
  new StarboxError("not_found", "There is no such session of yours (any more).", {
    hint: "GET /api/sessions lists them.",
    zh: { message: "没有这个登录会话。", hint: "GET /api/sessions 可列出你的会话。" },
  });

export const mayNotView = (): StarboxError =>
  new StarboxError("forbidden", "Seeing the box as somebody else is for administrators, and for reading only.", {
    hint: "Leave x-starbox-view-as out to act as yourself.",
    zh: { message: "“以他人视角查看”仅限管理员，且只能查看。", hint: "去掉 x-starbox-view-as 即可恢复自己的身份。" },
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

export const noTeam = (id: string): StarboxError =>
  new StarboxError("not_found", `No team "${id}".`, {
    hint: "GET /api/teams lists them.",
    zh: { message: `没有团队“${id}”。`, hint: "GET /api/teams 可列出所有团队。" },
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

export const askPresentFirst = (): StarboxError =>
  new StarboxError("invalid_input", "For a new password of your own the present one is needed.", {
    hint: "POST /api/account/password with current and password, signed in; in the console: Box, My account.",
    zh: {
      message: "修改自己的密码需要提供当前密码。",
      hint: "登录后用 POST /api/account/password 提交 current 和 password；或在网页「本机 › 我的账号」中修改。",
    },
  });
