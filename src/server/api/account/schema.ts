/** @file Wire shapes of people and sessions. */
import { z } from "@hono/zod-openapi";

export const password = z.string().min(8, "expected at least 8 characters").max(256);
export const email = z.email("expected an e-mail address").max(254);
export const personName = z.string().trim().min(1).max(100);
const roles = ["administrator", "knowledge-owner", "editor", "member", "api-only"] as const;
export const role = z.enum(roles);
export const actor = z
  .object({
    personId: z.string().nullable(),
    name: z.string(),
    role: z.enum(["operator", ...roles]),
    viewedBy: z.object({ personId: z.string().nullable(), name: z.string() }).optional(),
  })
  .openapi("Actor");
export const session = z.object({ actor: actor.nullable(), setupRequired: z.boolean(), email: z.string().nullable() }).openapi("Session");
export const person = z
  .object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    role,
    teamIds: z.array(z.string()).readonly(),
    secondFactor: z.boolean(),
    createdAt: z.string(),
  })
  .openapi("Person");
