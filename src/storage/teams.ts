/** @file Rows of teams, invitations and second factors. */
import { StarboxError } from "#base";
import type { Role, Team } from "#contracts";
import type { Connection } from "./connection.ts";

export type InvitationRow = {
  readonly id: string;
  readonly hash: string;
  readonly email: string;
  readonly role: Role;
  readonly teamIds: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string;
};

export type SecondFactorRow = {
  readonly secret: string;
  readonly confirmedAt: string | null;
  readonly lastStep: number;
  readonly recovery: readonly string[];
};

export type TeamStore = ReturnType<typeof createTeamStore>;

export function createTeamStore(connection: Connection) {
  const list = (): readonly Team[] => {
    const members = new Map<string, string[]>();
    for (const row of connection.all<{ person: string; team: string }>("SELECT person, team FROM team_members ORDER BY person"))
      members.set(row.team, [...(members.get(row.team) ?? []), row.person]);
    return connection
      .all<Omit<Team, "memberIds">>("SELECT id, name, parent AS parentId, created_at AS createdAt FROM teams ORDER BY name, id")
      .map((row) => ({ ...row, memberIds: members.get(row.id) ?? [] }));
  };
  return {
    list,
    find: (id: string): Team | undefined => list().find((team) => team.id === id),
    ofPerson: (person: string): readonly string[] =>
      connection.all<{ team: string }>("SELECT team FROM team_members WHERE person = ?", person).map((row) => row.team),
    /** Teams of a person, or a team itself, with all teams above. */
    reach: (person: string | null, team: string | null): readonly string[] =>
      connection
        .all<{ id: string }>(
          `WITH RECURSIVE reach(id) AS (
             SELECT team FROM team_members WHERE person = ?1 UNION SELECT id FROM teams WHERE id = ?2
             UNION SELECT t.parent FROM reach r JOIN teams t ON t.id = r.id WHERE t.parent IS NOT NULL
           ) SELECT id FROM reach`,
          person,
          team,
        )
        .map((row) => row.id),
    insert: (team: Omit<Team, "memberIds">): void =>
      void connection.run("INSERT INTO teams (id, name, parent, created_at) VALUES (?, ?, ?, ?)", team.id, team.name, team.parentId, team.createdAt),
    update(id: string, patch: { readonly name?: string; readonly parentId?: string | null; readonly memberIds?: readonly string[] }): void {
      connection.transaction(() => {
        if (patch.name !== undefined) connection.run("UPDATE teams SET name = ? WHERE id = ?", patch.name, id);
        if (patch.parentId !== undefined) {
          if (patch.parentId !== null && isBelow(connection, patch.parentId, id)) throw circle();
          connection.run("UPDATE teams SET parent = ? WHERE id = ?", patch.parentId, id);
        }
        if (patch.memberIds === undefined) return;
        connection.run("DELETE FROM team_members WHERE team = ?", id);
        for (const person of new Set(patch.memberIds)) connection.run("INSERT INTO team_members (person, team) VALUES (?, ?)", person, id);
      });
    },
    remove: (id: string): boolean => connection.run("DELETE FROM teams WHERE id = ?", id).changes > 0,
  };
}

/** `id` is `top` or lies somewhere under it. */
function isBelow(connection: Connection, id: string, top: string): boolean {
  return (
    connection.get(
      "WITH RECURSIVE up(id) AS (SELECT ?1 UNION SELECT t.parent FROM up JOIN teams t ON t.id = up.id WHERE t.parent IS NOT NULL) SELECT 1 FROM up WHERE id = ?2",
      id,
      top,
    ) !== undefined
  );
}

const circle = (): StarboxError =>
  new StarboxError("conflict", "A team cannot lie under itself.", {
    hint: "Choose another team above it.",
    zh: { message: "团队不能位于自己之下。", hint: "请选择其他上级团队。" },
  });

const invitationColumns = "id, hash, email, role, teams AS teamIds, created_at AS createdAt, expires_at AS expiresAt";
const readInvitation = (row: InvitationRow): InvitationRow => ({ ...row, teamIds: JSON.parse(row.teamIds as unknown as string) });

export type InvitationStore = ReturnType<typeof createInvitationStore>;

export function createInvitationStore(connection: Connection) {
  return {
    list: (): readonly InvitationRow[] =>
      connection.all<InvitationRow>(`SELECT ${invitationColumns} FROM invitations ORDER BY created_at DESC`).map(readInvitation),
    findByHash(hash: string): InvitationRow | undefined {
      const row = connection.get<InvitationRow>(`SELECT ${invitationColumns} FROM invitations WHERE hash = ?`, hash);
      return row === undefined ? undefined : readInvitation(row);
    },
    /** A newer one for the same e-mail replaces the older. */
    insert(row: InvitationRow): void {
      connection.transaction(() => {
        connection.run("DELETE FROM invitations WHERE email = ?", row.email);
        connection.run(
          "INSERT INTO invitations (id, hash, email, role, teams, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
          row.id,
          row.hash,
          row.email,
          row.role,
          JSON.stringify(row.teamIds),
          row.createdAt,
          row.expiresAt,
        );
      });
    },
    remove: (id: string): boolean => connection.run("DELETE FROM invitations WHERE id = ?", id).changes > 0,
    removeExpired: (now: string): void => void connection.run("DELETE FROM invitations WHERE expires_at <= ?", now),
  };
}

export type SecondFactorStore = ReturnType<typeof createSecondFactorStore>;

export function createSecondFactorStore(connection: Connection) {
  return {
    read(person: string): SecondFactorRow | undefined {
      const row = connection.get<SecondFactorRow>(
        "SELECT secret, confirmed_at AS confirmedAt, last_step AS lastStep, recovery FROM second_factors WHERE person = ?",
        person,
      );
      return row === undefined ? undefined : { ...row, recovery: JSON.parse(row.recovery as unknown as string) };
    },
    write: (person: string, row: SecondFactorRow): void =>
      void connection.run(
        `INSERT INTO second_factors (person, secret, confirmed_at, last_step, recovery) VALUES (?, ?, ?, ?, ?) ON CONFLICT (person) DO UPDATE SET
         secret = excluded.secret, confirmed_at = excluded.confirmed_at, last_step = excluded.last_step, recovery = excluded.recovery`,
        person,
        row.secret,
        row.confirmedAt,
        row.lastStep,
        JSON.stringify(row.recovery),
      ),
    /** False: this code, or a later one, was used already. */
    spendStep: (person: string, step: number): boolean =>
      connection.run("UPDATE second_factors SET last_step = ? WHERE person = ? AND last_step < ?", step, person, step).changes > 0,
    remove: (person: string): boolean => connection.run("DELETE FROM second_factors WHERE person = ?", person).changes > 0,
  };
}
