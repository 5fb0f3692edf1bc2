/** @file A person by e-mail or id, or a named error. */
import { StarboxError } from "#base";
import type { Actor, PersonInfo, Services } from "#contracts";

export async function findPerson(services: Services, actor: Actor, email: string): Promise<PersonInfo> {
  const found = (await services.people.listPeople(actor)).find((person) => person.email === email.toLowerCase() || person.id === email);
  if (found !== undefined) return found;
  throw new StarboxError("not_found", `Nobody here has the e-mail ${email}.`, {
    hint: "starbox people list shows everybody.",
    zh: { message: `没有邮箱为 ${email} 的成员。`, hint: "用 starbox people list 查看全部成员。" },
  });
}
