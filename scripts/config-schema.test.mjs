import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { configSchema, schemaFile } from "./config-schema.mjs";

test("packages/nearfar/schema.json is that of the type `SandboxOptions` (`npm run generate` writes it)", () => {
	expect(readFileSync(schemaFile, "utf8")).toBe(configSchema());
});
