/** @file The native kernels under sanitizers, short form of `npm run native:sanitize`: in continuous integration (STARBOX_TEST_SANITIZE=1); `STARBOX_TEST_LONG=1`: the long one. */
import { expect, test } from "vitest";
import { sanitize } from "../../scripts/sanitize.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const asked = long || process.env["STARBOX_TEST_SANITIZE"] === "1";

test.skipIf(!asked)(
  "recorded plans run clean under AddressSanitizer, UBSan and ThreadSanitizer; planted faults are found",
  {
    timeout: long ? 3_600_000 : 400_000,
  },
  async () => {
    const findings = await sanitize(long);
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(findings.length).toBeGreaterThanOrEqual(6);
  },
);
