/** @file When the next backup is due by the wall clock, and the nightly round: backup, rotation, rehearsal. A clock that jumps runs it neither twice nor never. */
import type { BackupSchedule } from "#contracts";

export const defaultSchedule: BackupSchedule = { enabled: false, at: "02:30", keepDaily: 7, keepWeekly: 4, keepMonthly: 6, rehearse: true };

const day = (time: number): string => {
  const at = new Date(time);
  return `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`;
};

/** The moment today at HH:MM, local time. */
function todayAt(at: string, now: number): number {
  const [hours, minutes] = at.split(":").map(Number);
  return new Date(now).setHours(hours ?? 2, minutes ?? 30, 0, 0);
}

const dayMs = 86_400_000;

/**
 * Due once a day after its hour; a night missed because the box was off is made up for.
 * `lastAt` in the future means the clock was set back: it counts as today's only when it is less than a day ahead.
 */
export function isDue(schedule: BackupSchedule, lastAt: number | null, now: number): boolean {
  if (!schedule.enabled || now < todayAt(schedule.at, now)) return false;
  if (lastAt === null) return true;
  if (lastAt > now) return lastAt - now > dayMs;
  return day(lastAt) !== day(now) || lastAt < todayAt(schedule.at, now);
}

export function nextDue(schedule: BackupSchedule, lastAt: number | null, now: number): number | null {
  if (!schedule.enabled) return null;
  if (isDue(schedule, lastAt, now)) return now;
  const today = todayAt(schedule.at, now);
  return today > now ? today : todayAt(schedule.at, now + dayMs);
}
