/** @file The second implementation of the models' contracts, over HTTP to a second box, passes the suite of the first. */
import { afterAll, beforeAll } from "vitest";
import type { EmbeddingModel, LanguageModel, Services } from "#contracts";
import { createUpstreamEmbeddingModel, createUpstreamLanguageModel } from "#models";
import { createServer, type HttpServer } from "#server";
import { openTestModels, type TestModels, testEmbedder, testLanguageModel, testToolModel } from "../real-models.ts";
import { scriptedServices, silentLogger, temporaryPlatform, testSettings } from "../scripted-services.ts";
import { embeddingModelConformance } from "./embedding-model.ts";
import { languageModelConformance } from "./language-model.ts";

const { platform, close } = temporaryPlatform();
let opened: TestModels;
let server: HttpServer;
let baseUrl = "";
let apiKey = "";

beforeAll(async () => {
  opened = await openTestModels([testLanguageModel, testToolModel, testEmbedder]);
  const services: Services = { ...scriptedServices({}), models: opened.models };
  server = createServer(services, platform, testSettings, silentLogger);
  baseUrl = `${await server.listen()}/v1`;
  apiKey = (await platform.keys.create({ personId: null, name: "operator", role: "operator" }, { name: "test" })).key;
}, 900_000);
afterAll(async () => {
  await server?.close();
  await opened?.close();
  close();
});

const language = (model: string) => (): LanguageModel => createUpstreamLanguageModel({ baseUrl, apiKey, model, contextTokens: 2048 });
const embedder = (): EmbeddingModel => createUpstreamEmbeddingModel({ baseUrl, apiKey, model: testEmbedder, dimensions: 384, maxTokens: 512 });
const working = (id: string) => (): boolean => opened.models.engines().some((engine) => engine.model === id && engine.running > 0);

languageModelConformance({
  name: `a second box, ${testLanguageModel}`,
  model: language(testLanguageModel),
  logprobsUnsupported: true,
  isWorking: working(testLanguageModel),
  tools: false,
});
/** Tools over HTTP are in the short form too: test/openai-model.test.ts. */
if (process.env["STARBOX_TEST_LONG"] === "1") {
  languageModelConformance({
    name: `a second box, ${testToolModel}`,
    model: language(testToolModel),
    logprobsUnsupported: true,
    isWorking: working(testToolModel),
    tools: true,
  });
}
embeddingModelConformance({ name: `a second box, ${testEmbedder}`, model: embedder, kinds: false });
