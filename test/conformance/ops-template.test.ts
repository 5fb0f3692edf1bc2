/** @file The template of docs/new-device.md passes the suite as it stands: whoever copies it begins from something that is right. */
import { TemplateDevice } from "../../src/compute/backends/template/template-device.ts";
import { conformance } from "./ops/suite.ts";

conformance({ name: "template", open: async () => new TemplateDevice(), atLeast: [12, 4] });
