/** @file Traces reach a collector that was named, with route and status and nothing of what was asked. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Hono } from "hono";
import { expect, test } from "vitest";
import { traceRequests } from "../server/trace.ts";
import { startTracing } from "./tracing.ts";

test("a span a request; no query, no body; a collector that is away keeps nobody waiting", async () => {
  let got = "";
  const collector = http.createServer((request, response) => {
    request.on("data", (part: Buffer) => (got += part.toString("latin1")));
    request.on("end", () => response.end("{}"));
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const tracing = await startTracing(`http://127.0.0.1:${(collector.address() as AddressInfo).port}`, "9.9.9");
  const app = new Hono();
  app.use(traceRequests as never);
  app.post("/api/ask", (c) => c.json({}, 418 as 200));
  await app.request("/api/ask?q=QUERYWORD", { method: "POST", body: "BODYWORD", headers: { authorization: "Bearer KEYWORD" } });
  await tracing?.stop();
  expect(got).toContain("starbox");
  expect(got).toContain("/api/*");
  expect(got).toContain("418");
  for (const secret of ["QUERYWORD", "BODYWORD", "KEYWORD"]) expect(got).not.toContain(secret);
  collector.close();
  const started = performance.now();
  await (await startTracing("http://127.0.0.1:9", "1"))?.stop();
  expect(performance.now() - started).toBeLessThan(3000);
  expect(await startTracing("", "1")).toBeNull();
});
