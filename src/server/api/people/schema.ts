/** @file Wire shapes of people, teams, invitations and lists of who may read and write what. */
import { z } from "@hono/zod-openapi";
import { person as basePerson, email, personName, role } from "../account/schema.ts";
import { list } from "../define.ts";

export const person = basePerson;
export const level = z.enum(["read", "write", "manage"]);

export const newPerson = z.object({
  name: personName,
  email,
  password: z.string().min(8).max(256).optional().openapi({ description: "None: signs in through OIDC or LDAP, or uses keys only." }),
  role: role.default("member"),
  teamIds: z.array(z.string()).max(100).optional(),
});

export const team = z
  .object({ id: z.string(), name: z.string(), parentId: z.string().nullable(), memberIds: list(z.string()), createdAt: z.string() })
  .openapi("Team", { description: "Members of a team are members of the teams above it too." });
export const teamName = z.string().trim().min(1).max(100);

export const invitation = z
  .object({ id: z.string(), email: z.string(), role, teamIds: list(z.string()), createdAt: z.string(), expiresAt: z.string() })
  .openapi("Invitation");
export const newInvitation = z.object({
  email,
  role: role.exclude(["api-only"]).default("member"),
  teamIds: z.array(z.string()).max(100).optional(),
  days: z.number().int().min(1).max(90).optional(),
});

export const directory = z
  .object({
    people: list(z.object({ id: z.string(), name: z.string(), email: z.string(), role })),
    teams: list(z.object({ id: z.string(), name: z.string(), parentId: z.string().nullable(), members: z.number() })),
  })
  .openapi("Directory");

const principal = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("everyone") }),
  z.object({ kind: z.literal("team"), id: z.string() }),
  z.object({ kind: z.literal("person"), id: z.string() }),
]);
export const accessEntries = z.object({
  path: z.string().max(1000).default("").openapi({ description: "A folder or file inside the base; empty: the base itself." }),
  entries: z.array(z.object({ principal, level })).max(1000),
});
export const accessList = z
  .object({ path: z.string(), entries: list(z.object({ principal, level, name: z.string() })) })
  .openapi("AccessList", { description: "Folders and files narrow: the level is needed here and on every list above." });

export const sessionRow = z
  .object({
    id: z.string(),
    createdAt: z.string(),
    lastSeenAt: z.string(),
    address: z.string().nullable(),
    userAgent: z.string().nullable(),
    current: z.boolean(),
  })
  .openapi("SessionPlace");
