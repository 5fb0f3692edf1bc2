import { expect, test } from "vitest";
import { loadSettings } from "./settings.ts";

test("every wrong setting is named at once, with what was expected", () => {
  const env = { STARBOX_PORT: "x", STARBOX_SOURCES: "pypi,ftp", HF_ENDPOINT: "hf-mirror.com", STARBOX_URL: "box", STARBOX_OFFLINE: "maybe" };
  expect(() => loadSettings({}, env)).toThrowError(/STARBOX_PORT="x".*STARBOX_URL="box".*HF_ENDPOINT=.*STARBOX_SOURCES=.*got ftp.*STARBOX_OFFLINE=/);
});

test("empty means the default; flags win over the environment", () => {
  const settings = loadSettings(
    { port: 1 },
    { STARBOX_PORT: "2", HF_ENDPOINT: "https://hf-mirror.com/", STARBOX_URL: "", STARBOX_SOURCES: "pypi, file" },
  );
  expect(settings).toMatchObject({ port: 1, hfEndpoint: "https://hf-mirror.com", url: "", sources: ["pypi", "file"] });
});
